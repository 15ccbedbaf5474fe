"""Features of a serialised `tf.train.Example`, read where they lie: nothing is copied that nobody asks for.

The wire format of protocol buffers: https://protobuf.dev/programming-guides/encoding. An Example is
{1: Features {1: repeated entry {1: name, 2: Feature {1: bytes list | 2: float list | 3: int64 list}}}}. No TensorFlow.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int64, Shaped

BYTES, FLOATS, INTS = 1, 2, 3
"""Kinds of list."""


def features(record: memoryview) -> Iterator[tuple[str, int, int, int]]:
    """(name, kind of list, begin and end of the list) of each feature.

    Raises `IndexError` or `UnicodeDecodeError` where the record is no Example.
    """
    for _, low, high in fields(record, 0, len(record)):
        for _, begin, end in fields(record, low, high):
            name, feature = "", (0, 0)
            for field, first, last in fields(record, begin, end):
                if field == 1:
                    name = bytes(record[first:last]).decode()
                else:
                    feature = first, last
            for kind, first, last in fields(record, *feature):
                yield name, kind, first, last


def fields(record: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(number, begin, end) of each length-delimited field of a message."""
    while at < end:
        tag, at = _varint(record, at)
        if tag & 7 == 0:  # A number.
            _, at = _varint(record, at)
            continue
        if tag & 7 != 2:
            raise IndexError(f"unexpected wire type {tag & 7} at byte {at}")
        size, at = _varint(record, at)
        if at + size > end:
            raise IndexError(f"a field of {size} bytes at byte {at} ends behind byte {end}")
        yield tag >> 3, at, at + size
        at += size


def _varint(record: memoryview, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = record[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


class Example:
    """The features of one record by name.

    Raises `IndexError` or `UnicodeDecodeError` where the record is no Example; look-ups raise `KeyError`.
    """

    def __init__(self, record: memoryview | bytes):
        self._record = memoryview(record)
        self._lists = {name: (kind, begin, end) for name, kind, begin, end in features(self._record)}

    def __contains__(self, name: str) -> bool:
        return name in self._lists

    @property
    def names(self) -> list[str]:
        """Of all features, sorted."""
        return sorted(self._lists)

    def numbers(self, name: str) -> Shaped[np.ndarray, " values"]:
        """The values of a feature of numbers: float32 or int64, flat. Raises `KeyError` for texts."""
        kind, begin, end = self._lists[name]
        # Both lists are packed: field 1 holds all values in a row.
        parts = [(first, last) for _, first, last in fields(self._record, begin, end)]
        if kind == FLOATS:
            return np.concatenate([np.zeros(0, np.float32), *(_floats(self._record[a:b]) for a, b in parts)])
        if kind == INTS:
            return np.concatenate([np.zeros(0, np.int64), *(_ints(self._record[a:b]) for a, b in parts)])
        raise KeyError(f"{name} holds texts, expected numbers")

    def texts(self, name: str) -> list[bytes]:
        """The values of a feature of texts or encoded pictures. Raises `KeyError` for numbers."""
        kind, begin, end = self._lists[name]
        if kind != BYTES:
            raise KeyError(f"{name} holds numbers, expected texts")
        return [bytes(self._record[first:last]) for _, first, last in fields(self._record, begin, end)]

    def text(self, name: str) -> str:
        """The one text of a feature."""
        return self.texts(name)[0].decode()


def _floats(packed: memoryview) -> Float32[np.ndarray, " values"]:
    return np.frombuffer(packed, "<f4")


def _ints(packed: memoryview) -> Int64[np.ndarray, " values"]:
    """Seven bits a byte, the lowest first; the last byte of a value is below 128."""
    data = np.frombuffer(packed, np.uint8)
    ends = np.flatnonzero(data < 128)
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)[: len(ends)]
    values = np.zeros(len(ends), np.uint64)
    for byte in range(int(np.max(ends - starts, initial=-1)) + 1):
        longer = np.flatnonzero(ends - starts >= byte)
        values[longer] |= (data[starts[longer] + byte].astype(np.uint64) & np.uint64(127)) << np.uint64(7 * byte)
    return values.view(np.int64)
