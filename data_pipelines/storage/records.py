"""Where the records of TFRecord files lie, and single ones by their number. No TensorFlow."""

import struct
from collections.abc import Iterator

import numpy as np

from data_pipelines.storage.recorded_tasks import FOOTER, HEADER, DataError, RecordedTask, Shard


def frames(shard: Shard) -> Iterator[tuple[int, int]]:
    """(byte at which its frame begins, bytes of its payload) of each record of a file that is whole."""
    with shard.path.open("rb") as file:
        offset = 0
        for _ in range(shard.records):
            file.seek(offset)
            size = _length(file.read(HEADER))
            yield offset, size
            offset += HEADER + size + FOOTER


def payloads(shard: Shard) -> Iterator[memoryview]:
    """The payload of each record of a file that is whole. Only what is looked at is read from disk."""
    mapped = np.memmap(shard.path, np.uint8, mode="r").data
    for begin, length in frames(shard):
        yield mapped[begin + HEADER : begin + HEADER + length]


def read_record(task: RecordedTask, split: str, number: int) -> bytes:
    """The payload of record `number`, counted from 0 over the split's files in order.

    Raises:
      DataError: the split has no such record, or the file ends inside of it.
    """
    rest = number
    for shard in task.shards.get(split, ()):
        if rest >= shard.records:
            rest -= shard.records
            continue
        framing = shard.framing
        offset = framing.entries[rest // framing.every]
        with shard.path.open("rb") as file:
            for _ in range(rest % framing.every):
                file.seek(offset)
                offset += HEADER + FOOTER + _length(file.read(HEADER))
            file.seek(offset)
            size = _length(file.read(HEADER))
            payload = file.read(size)
        if len(payload) != size:
            raise DataError(f"{shard.path}: record {rest} is cut: expected {size} bytes, found {len(payload)}")
        return payload
    raise DataError(f"task {task.name!r}: no record {number} of split {split!r}, which has {task.examples(split)}")


def _length(header: bytes) -> int:
    return struct.unpack("<Q", header[:8])[0]
