"""One recorded example as the page's script shows it: JSON of about a given size, and what was left out for that."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data_pipelines.reports.data_page import drawing, series
from data_pipelines.reports.data_page.thumbnails import data_uri
from data_pipelines.reports.data_summary import FIRST, REWARD
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.example_fields import Example

SIDE = 160
"""Pixels of a frame's longer side."""

POINTS = 400
"""Steps of an episode that are shown at most."""

VALUES = 256
"""Values of an item that are shown at most."""

CHARACTERS = 1500
"""Of a text that are shown at most."""

_BYTES = 8 / 3
"""Of a value of a series in the page: 16 bits as base64."""


def episode(spec: TaskSpec, example: Example, size: int, *, draw: bool = False) -> dict[str, Any]:
    """An episode: rewards, actions, observations, texts and frames over its steps.

    Args:
      spec: of the task.
      example: the episode.
      size: bytes that it should take at most; a point for each of few steps is always there.
      draw: let the simulator draw it where the data hold no pictures.

    Raises:
      KeyError: an item of the spec is not recorded.
      ValueError: it has another number of values, or a picture is broken.
    """
    steps = len(example.numbers(FIRST)) - 1
    items = {item.key: _values(example, f"steps/observation/{item.key}", item, steps)
             for item in spec.observation if item.kind in (Kind.DISCRETE, Kind.CONTINUOUS)}  # fmt: skip
    action = _values(example, "steps/action", spec.action, steps)
    action[-1] = np.nan  # The last step has no action.
    pictures = {item.key: example.texts(f"steps/observation/{item.key}")
                for item in spec.observation if item.kind is Kind.IMAGE}  # fmt: skip
    width = 2 + sum(min(values.shape[1], VALUES) for values in (action, *items.values()))
    shown, every = series.points(steps, min(POINTS, int(size * (0.3 if pictures or draw else 0.9) / (width * _BYTES))))
    packed: list[dict[str, Any]] = []
    if REWARD in example:
        packed += _rewards(example.numbers(REWARD)[:steps].astype(np.float64), shown, every)
    packed.append(_series(spec.action, "action", action, shown))
    packed += [_series(item, item.key, items[item.key], shown) for item in spec.observation if item.key in items]
    rest = size - sum(len(one["data"]) for one in packed)
    frames = [
        _frames(key, files, shown, rest // len(pictures)) for key, files in pictures.items()
    ]  # fmt: skip
    about = _about(example)
    if draw and not pictures:
        try:
            frames = [drawing.frames(spec, example, every, len(shown), rest)]
        except drawing.NotDrawn as error:
            about["not drawn:"] = str(error)
    texts = [
        _changes(item.key, example.texts(f"steps/observation/{item.key}"), shown)
        for item in spec.observation if item.kind is Kind.TEXT
    ]  # fmt: skip
    return {
        "steps": steps, "every": every, "points": len(shown), "about": about,
        "series": packed, "frames": frames, "texts": texts,
    }  # fmt: skip


def _values(example: Example, name: str, item: ItemSpec, steps: int) -> np.ndarray:
    """float64 [steps + 1, values]."""
    values = example.numbers(name)
    if len(values) != (steps + 1) * item.size:
        raise ValueError(f"{name}: expected {item.size} values in {steps + 1} steps, found {len(values)} in all")
    return values.astype(np.float64).reshape(steps + 1, item.size)


def _rewards(rewards: np.ndarray, shown: np.ndarray, every: int) -> list[dict[str, Any]]:
    """Of the action taken at each step; and their sum so far, that one included."""
    total = np.append(np.cumsum(rewards), rewards.sum())[np.minimum(shown + every - 1, len(rewards))]
    single = series.largest(np.append(rewards, np.nan if every == 1 else 0.0), every)[: len(shown)]
    return [
        {"key": "reward", "form": "step", **series.pack(single[:, None])},
        {"key": "return so far", "form": "line", **series.pack(total[:, None])},
    ]


def _series(item: ItemSpec, key: str, values: np.ndarray, shown: np.ndarray) -> dict[str, Any]:
    discrete = item.kind is Kind.DISCRETE
    packed = {"key": key, "form": "step" if discrete else "line", **series.pack(values[shown][:, :VALUES])}
    if discrete:
        packed["whole"] = True
        if len(item.shape) in (2, 3) and item.size <= VALUES:
            packed["grid"] = [*item.shape, 1][:3]
    if item.size > VALUES:
        packed["left"] = item.size - VALUES
    return packed


def _frames(key: str, files: list[bytes], shown: np.ndarray, size: int) -> dict[str, Any]:
    """Pictures at every `every`-th point."""
    first = data_uri(files[0], SIDE)
    # Later frames may be larger than the first one: half as much again.
    every = max(1, -(-len(shown) // max(1, int(size / (1.5 * len(first))))))
    return {"key": key, "every": every, "files": [first, *(data_uri(files[at], SIDE) for at in shown[every::every])]}


def _changes(key: str, texts: list[bytes], shown: np.ndarray) -> dict[str, Any]:
    """[point, text] wherever the text is another one than before."""
    changes: list[tuple[int, str]] = []
    for point, step in enumerate(shown):
        text = cut(texts[step].decode())
        if not changes or changes[-1][1] != text:
            changes.append((point, text))
    return {"key": key, "changes": changes}


def _about(example: Example) -> dict[str, str]:
    """What is recorded of the episode beside its steps."""
    about = {}
    for name in ("episode_id", "agent"):
        if name in example:
            about[name] = cut(example.text(name))
    for name in ("seed", "noise"):
        if name in example:
            about[name] = f"{example.numbers(name)[0]:.6g}" if name == "noise" else str(example.numbers(name)[0])
    return about


def document(kind: str, example: Example) -> list[dict[str, str]]:
    """Texts and pictures of an example of a task without steps, in order: {"name", "text"} or {"image"}."""
    if kind == "text":
        return [_text("", example.text("text"))]
    if kind == "captions":
        return [_image(example.texts("image")[0]), *(_text("", one.decode()) for one in example.texts("captions")[:5])]
    if kind == "vqa":
        return [
            _image(example.texts("image")[0]),
            *(_text(name, example.text(name)) for name in ("question", "answer")),
        ]
    texts, images = example.texts("texts"), example.texts("images")
    parts = [_text("", texts[0].decode())]
    for image, text in zip(images[:_PICTURES], texts[1:], strict=False):
        parts += [_image(image), _text("", text.decode())]
    if len(images) > _PICTURES:
        parts.append({"name": "", "text": f"... and {len(images) - _PICTURES} more pictures"})
    return [part for part in parts if part.get("text") != ""]


_PICTURES = 4
"""Of an interleaved document that are shown at most."""


def _text(name: str, text: str) -> dict[str, str]:
    return {"name": name, "text": cut(text)}


def _image(file: bytes) -> dict[str, str]:
    return {"image": data_uri(file, SIDE)}


def cut(text: str) -> str:
    """The beginning of a long text, and how much more there is."""
    more = len(text) - CHARACTERS
    return f"{text[:CHARACTERS]} ... ({more:,} more characters)" if more > 0 else text


def first_frames(spec: TaskSpec | None, kind: str, example: Example) -> Mapping[str, bytes]:
    """Pictures that an example begins with, by key."""
    if spec is None:
        name = {"captions": "image", "vqa": "image", "documents": "images"}.get(kind)
        return {name: example.texts(name)[0]} if name and example.texts(name) else {}
    images = [item for item in spec.observation if item.kind is Kind.IMAGE]
    return {item.key: example.texts(f"steps/observation/{item.key}")[0] for item in images}
