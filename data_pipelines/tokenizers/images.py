"""Images: 16x16 patches in raster order and the interval of the image each one covers (Gato, section 2.2)."""

import enum
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt8

from data_pipelines.schema import INTERVAL_STEPS, PATCH_SIDE, PATCH_VALUES


class ImageFit(enum.Enum):
    """How a side that is no multiple of 16 is brought to the next one: zeros to the right and bottom, or stretched."""

    PAD = "pad"
    RESIZE = "resize"


class ImageSize(NamedTuple):
    """Size of a task's pictures, and whether they are held as bare pixels, uint8 [height, width, 3], not encoded."""

    height: int
    width: int
    raw: bool = False


def grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of patches that cover the image."""
    return -(-height // PATCH_SIDE), -(-width // PATCH_SIDE)


def patch_intervals(height: int, width: int) -> Int32[np.ndarray, "patches 4"]:
    """Row low, row high, column low, column high of each patch in 128ths of the (fitted) image, rounded to nearest."""
    rows, columns = grid(height, width)

    def ends(count: int) -> np.ndarray:
        return (2 * INTERVAL_STEPS * np.arange(count + 1) + count) // (2 * count)

    row, column = (index.ravel() for index in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    row_ends, column_ends = ends(rows), ends(columns)
    return np.stack([row_ends[row], row_ends[row + 1], column_ends[column], column_ends[column + 1]], axis=-1).astype(
        np.int32
    )


def stretch_index(size: int) -> Int32[np.ndarray, "fitted"]:
    """For `ImageFit.RESIZE`: which source pixel each pixel of the fitted side shows (nearest neighbour, exact)."""
    fitted = -(-size // PATCH_SIDE) * PATCH_SIDE
    return (np.arange(fitted) * size // fitted).astype(np.int32)


def patchify(
    frames: UInt8[np.ndarray, "steps height width channels"], fit: ImageFit = ImageFit.PAD
) -> UInt8[np.ndarray, "steps patches 768"]:
    """Patches of each frame in raster order, each flattened row-major. Gray (one channel) is repeated to RGB."""
    steps, height, width, channels = frames.shape
    if channels == 1:
        frames = np.repeat(frames, 3, axis=3)
    rows, columns = grid(height, width)
    if fit is ImageFit.RESIZE:
        frames = frames[:, stretch_index(height)][:, :, stretch_index(width)]
    else:
        frames = np.pad(frames, [(0, 0), (0, rows * PATCH_SIDE - height), (0, columns * PATCH_SIDE - width), (0, 0)])
    cells = frames.reshape(steps, rows, PATCH_SIDE, columns, PATCH_SIDE, 3)
    return cells.transpose(0, 1, 3, 2, 4, 5).reshape(steps, rows * columns, PATCH_VALUES)
