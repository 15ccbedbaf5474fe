"""Pictures put together again from their patches, as PNGs that need no image library."""

import itertools
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from data_pipelines.schema import INTERVAL_STEPS, PATCH_SIDE


class Picture(NamedTuple):
    """One picture of a row.

    Args:
      start: place of its first patch in the row.
      pixels: uint8 [height, width, 3], with the padding to a multiple of 16.
    """

    start: int
    pixels: UInt8[np.ndarray, "height width 3"]


def pictures(row: Mapping[str, np.ndarray]) -> Iterator[Picture]:
    """The pictures of one row of a batch; a new one begins where the interval returns to the top left corner."""
    used = row["patch_slot"] < len(row["tokens"])
    patches, intervals, slots = (row[name][used] for name in ("patches", "patch_interval", "patch_slot"))
    starts = [*np.flatnonzero((intervals[:, 0] == 0) & (intervals[:, 2] == 0)).tolist(), len(patches)]
    for start, stop in itertools.pairwise(starts):
        columns = int(np.argmax(intervals[start:stop, 3] == INTERVAL_STEPS)) + 1
        whole = (stop - start) // columns
        cells = patches[start : start + whole * columns].reshape(whole, columns, PATCH_SIDE, PATCH_SIDE, 3)
        pixels = cells.transpose(0, 2, 1, 3, 4).reshape(whole * PATCH_SIDE, columns * PATCH_SIDE, 3)
        yield Picture(int(slots[start]), pixels)


def png(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The picture as a file."""
    height, width, _ = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1).tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
