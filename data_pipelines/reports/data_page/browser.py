"""What the page's browser can show: examples of each task, in a bounded number of bytes."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

from data_pipelines.reports.data_page import episodes
from data_pipelines.reports.data_summary import TRAIN, TaskSummary, examples
from data_pipelines.spec import Kind
from data_pipelines.storage.example_fields import Example
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask
from data_pipelines.words import counted

_LEAST = 40_000
"""Bytes that an episode is worth showing in: fewer episodes are shown before they get less."""

_ENVELOPE = 2_000
"""Bytes around the values and frames of an example."""


@dataclasses.dataclass(frozen=True)
class Browsed:
    """What the browser shows.

    Args:
      tasks: JSON of each task that is shown.
      left_out: names of those for which there is no room.
      broken: name -> why it cannot be shown.
      drawn: name -> first frames, for `src`, of episodes that a simulator drew.
    """

    tasks: list[str]
    left_out: list[str]
    broken: dict[str, str]
    drawn: dict[str, list[str]]

    def script(self) -> str:
        """The element that holds them."""
        return f'<script type="application/json" id="episodes">[{",".join(self.tasks)}]</script>'


def browse(tasks: Sequence[TaskSummary], *, count: int, size: float, draw: bool = False) -> Browsed:
    """Examples of each task.

    Args:
      tasks: to show.
      count: episodes of each at most; of texts and pictures four times as many.
      size: bytes of all of them at most.
      draw: let simulators draw episodes whose data hold no pictures.
    """
    shown: list[str] = []
    left_out: list[str] = []
    broken: dict[str, str] = {}
    drawn: dict[str, list[str]] = {}
    used = 0.0
    for number, summary in enumerate(tasks):
        room = (size - used) / (len(tasks) - number)
        task = summary.recorded
        try:
            part = _task(task, count, room, draw)
        except DataError as error:
            broken[task.name] = str(error)
            continue
        text = _json(part)
        if used + len(text) > size:
            left_out.append(task.name)
            continue
        shown.append(text)
        used += len(text) + 1
        if draw and task.spec is not None and not any(item.kind is Kind.IMAGE for item in task.spec.observation):
            drawn[task.name] = [one["frames"][0]["files"][0] for one in part["examples"] if one["frames"]]
    return Browsed(shown, left_out, broken, drawn)


def _task(task: RecordedTask, count: int, room: float, draw: bool) -> dict[str, Any]:
    spec, held = task.spec, task.examples(TRAIN)
    if spec is not None:
        wanted = max(1, min(count, int(room / _LEAST)))
        each = max(0, int(room / min(wanted, max(1, held))) - _ENVELOPE)
        shown = _shown(task, wanted, lambda example: episodes.episode(spec, example, each, draw=draw))
        unit = "episode"
    else:
        shown = _shown(task, 4 * count, lambda example: {"parts": episodes.document(task.kind, example)})
        while len(shown) > 1 and len(_json(shown)) > room:
            shown = shown[: len(shown) // 2]
        unit = {"text": "text", "documents": "document", "captions": "picture", "vqa": "question"}[task.kind]
    note = "" if len(shown) == held else f"the first {len(shown)} of {counted(held, unit)}"
    return {"task": task.name, "kind": task.kind, "note": note, "examples": shown}


def _shown(task: RecordedTask, count: int, show: Callable[[Example], dict[str, Any]]) -> list[dict[str, Any]]:
    shown = []
    for name, example in itertools.islice(examples(task, TRAIN), count):
        try:
            shown.append(show(example))
        except (KeyError, ValueError) as error:
            raise DataError(f"{name}: {error.args[0]}") from error
    return shown


def _json(value: Any) -> str:
    """JSON that may stand inside a script element, in ASCII: so its length is its size."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
