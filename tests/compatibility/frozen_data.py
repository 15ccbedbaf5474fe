"""Frozen data, configurations over it, and digests of batches: what tests, `make_data.py` and `same_as` share.

It imports neither package, so that it can look at any commit, wherever that keeps its modules.
"""

import hashlib
import io
import pathlib
import tarfile

import numpy as np

HERE = pathlib.Path(__file__).parent
ARCHIVES = HERE / "data"
BATCHES = HERE / "batches.json"
DIRECTORIES = ("recorded", "imported", "cache", "sources")

STEPS, RESUMED = 30, 17
"""Batches of each configuration, and how many of them come before the stored position."""

RECORDED = ("babyai.go_to_obj", "babyai.go_to_red_ball_grey", "metaworld.drawer_close", "vqa.easy_vqa")
"""Without text.python_docs: it is large, and differs with the version of Python."""
RECORDING = {"episodes": 6, "random_episodes": 2}
"""Fields of `RecordingConfig`."""

IMPORTS = {
    "frozen.arm": {"format": "npz", "validation": 0.25, "chunk": 4},
    "text.notes": {"format": "text", "validation": 0.2, "chunk": 16},
    "captions.shapes": {"format": "coco_captions", "validation": 0.2, "chunk": 8},
    "documents.pages": {"format": "obelics", "validation": 0.2, "chunk": 8},
}
"""Task -> arguments of its import, from `sources/<task>`."""
PICTURES = {"size": 32, "encoding": "png"}
"""Fields of `PictureConfig`, for all tasks with pictures."""

_BABYAI, _DRAWER = RECORDED[:2], RECORDED[2]
_CELLS = {"vocabulary": {"text_size": 1024}, "pack_discrete": True, "text_tokens": 20}
_PAPER = {"text_model": "package:mistral_common/data/tokenizer.model.v1", "text_tokens": 8}
_STREAM = {"seed": 3, "virtual_shards": 2, "segment_steps": 12, "shuffle_buffer": 16, "prompt_share": 0.0}
_PROMPTS = {"prompt_share": 0.5, "prompt_timesteps": 1}


def _of(directory, tokens, weights, groups, *, rows=4, schedule=(), cache="", **stream):
    """A `DataConfig` as JSON has it; whatever is not given has its default."""
    mixture = {"weights": weights, "groups": groups, "rows_per_step": rows, "schedule": list(schedule)}
    return {
        "directory": directory, "tokens": tokens, "mixture": mixture, "stream": {**_STREAM, **stream}, "cache": cache
    }  # fmt: skip


def _group(*tasks, **fields):
    return {"tasks": list(tasks), **fields}


_CONTROL = (
    {_BABYAI[0]: 1.0, _DRAWER: 2.0},
    {"control": _group(_BABYAI[0], _DRAWER, segments=2, segment_length=144)},
)

CONFIGURATIONS = {
    "control_with_prompts": _of("recorded", _CELLS, *_CONTROL, **_PROMPTS),
    "cached": _of("recorded", _CELLS, *_CONTROL, cache="cache", **_PROMPTS),
    "control_with_pictures": _of(
        "imported", _PAPER, {"frozen.arm": 1.0},
        {"arm": _group("frozen.arm", segments=2, segment_length=64, patches=48)}, **_PROMPTS,
    ),
    "text": _of("imported", _PAPER, {"text.notes": 1.0}, {"text": _group("text.notes", segments=2, segment_length=48)}),
    "captions": _of(
        "imported", _PAPER, {"captions.shapes": 1.0},
        {"captions": _group("captions.shapes", segment_length=64, patches=8)}, image_text_pairs=2,
    ),
    "documents": _of(
        "imported", _PAPER, {"documents.pages": 1.0},
        {"documents": _group("documents.pages", segment_length=64, patches=12)}, document_images=3,
    ),
    "two_groups": _of(
        "recorded", _CELLS, {_BABYAI[0]: 1.0, _BABYAI[1]: 2.0, "vqa.easy_vqa": 1.0},
        {
            "babyai": _group(*_BABYAI, segments=2, segment_length=72, targets=21),
            "vqa": _group("vqa.easy_vqa", segment_length=48, patches=16, targets=31),
        },
        rows=8, image_text_pairs=1,
    ),
    "schedule": _of(
        "recorded", _CELLS, {_BABYAI[0]: 3.0, _BABYAI[1]: 0.0, _DRAWER: 1.0},
        {
            "babyai": _group(*_BABYAI, segment_length=144),
            "metaworld": _group(_DRAWER, segments=2, segment_length=90),
        },
        rows=8,
        schedule=[
            {"step": 12, "weights": {_BABYAI[0]: 0.0, _BABYAI[1]: 1.0, _DRAWER: 3.0}},
            {"step": 24, "weights": {_BABYAI[0]: 1.0, _BABYAI[1]: 1.0, _DRAWER: 2.0}},
        ],
    ),
}  # fmt: skip
"""Name -> `DataConfig` as JSON. Directories stand inside the one that `unpack` fills."""


def located(name, root):
    """A configuration whose directories are those inside `root`."""
    config = CONFIGURATIONS[name]
    places = {key: str(pathlib.Path(root) / config[key]) for key in ("directory", "cache") if config[key]}
    return {**config, **places}


def unpack(root, names=DIRECTORIES):
    """The frozen directories as files, inside `root`."""
    for name in names:
        with tarfile.open(ARCHIVES / f"{name}.tar.xz") as archive:
            archive.extractall(root, filter="data")


def pack(root, name):
    """`root/name` as an archive; equal files give an equal one. Locks stay out."""
    with tarfile.open(ARCHIVES / f"{name}.tar.xz", "w:xz", preset=9) as archive:
        for path in sorted(path for path in (root / name).rglob("*") if path.is_file() and path.name != ".lock"):
            content, entry = path.read_bytes(), tarfile.TarInfo(str(path.relative_to(root)))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def digest(group, field, values):
    """Of one field of one batch: names, type, shape and values. Its own code, not that which it watches."""
    values = np.ascontiguousarray(values)
    sha256 = hashlib.sha256(f"{group}/{field}/{values.dtype.str}/{values.shape}".encode())
    sha256.update(values.tobytes())
    return sha256.hexdigest()[:8]


def digests(batch):
    """{group: {field: digest}} of a batch."""
    return {
        group: {field: digest(group, field, batch[group][field]) for field in sorted(batch[group])}
        for group in sorted(batch)
    }


def joined(steps):
    """Digests of many steps as they are stored: {group: {field: "one digest for each step"}}."""
    columns = {(group, field): "" for step in steps for group, fields in step.items() for field in fields}
    for group, field in columns:
        columns[group, field] = " ".join(step.get(group, {}).get(field, "absent") for step in steps)
    return {group: {f: text for (g, f), text in columns.items() if g == group} for group, _ in columns}


def first_difference(name, expected, actual, *, start=0):
    """Where two results of `joined` first differ, step by step; "" if nowhere. The first of them is step `start`."""
    keys = sorted({(group, field) for side in (expected, actual) for group in side for field in side[group]})
    columns = {
        (group, field): [side.get(group, {}).get(field, "").split() for side in (expected, actual)]
        for group, field in keys
    }
    steps = max((len(side) for sides in columns.values() for side in sides), default=0)
    other = [
        (step, group, field, *(side[step] if step < len(side) else "absent" for side in sides))
        for step in range(steps)
        for (group, field), sides in columns.items()
        if sides[0][step : step + 1] != sides[1][step : step + 1]
    ]
    if not other:
        return ""
    step, group, field, left, right = other[0]
    beside = sorted({entry[2] for entry in other if entry[0] == step} - {field})
    return (
        f"{name}: step {start + step}, group {group!r}, field {field!r}: expected {left}, found {right} "
        f"(other fields of that step: {beside}; {len({entry[0] for entry in other})} of {steps} steps differ)"
    )
