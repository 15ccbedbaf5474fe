"""A sample of the examples of a task on disk, with its pictures as files. Imports TensorFlow."""

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow_datasets as tfds

from data_pipelines.importing.common import tfds_directories
from data_pipelines.storage.recorded_tasks import RecordedTask

_BLOCKS = 4
_PICTURES = ("image", "images")


def sample(
    task: RecordedTask, split: str, count: int
) -> Iterator[tuple[str, tuple[int, int] | None, Mapping[str, Any]]]:
    """Examples in blocks spread over a split: file and record, the one size of all pictures where the features name it,
    and the features.

    Raises:
      SourceError: a record that does not match its checksum, or is not what features.json declares.
    """
    total = task.examples(split)
    before = sum(task.examples(other) for other in task.shards if other < split)  # As `first_ids` counts.
    blocks = _blocks(total, count)
    start = 0
    for directory in task.directories:
        builder = tfds_directories.open_directory(directory)
        if split not in builder.info.splits:
            continue
        shards = tfds_directories.split_files(builder, split, directory)
        held = sum(shard.records for shard in shards)
        features = builder.info.features
        size = _size(features)
        decoders = {name: tfds.decode.SkipDecoding() for name in _PICTURES if name in features}
        config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
        for first, last in blocks:
            begin, end = max(first - start, 0), min(last - start, held)
            if begin >= end:
                continue
            with tfds_directories.reading(directory, shards):
                part = builder.as_dataset(
                    split=f"{split}[{begin}:{end}]", shuffle_files=False, read_config=config, decoders=decoders or None
                )
                for number, example in enumerate(part.as_numpy_iterator(), start + begin):
                    yield task.example_name(before + number), size, example
        start += held


def _blocks(total: int, count: int) -> list[tuple[int, int]]:
    """First and behind the last of the blocks that are read."""
    if total <= count:
        return [(0, total)]
    sizes = [count * (block + 1) // _BLOCKS - count * block // _BLOCKS for block in range(_BLOCKS)]
    starts = [total * block // _BLOCKS for block in range(_BLOCKS)]
    return [(start, start + size) for start, size in zip(starts, sizes, strict=True)]


def _size(features: Any) -> tuple[int, int] | None:
    if "image" not in features:
        return None
    height, width, _ = features["image"].shape
    return None if height is None or width is None else (height, width)
