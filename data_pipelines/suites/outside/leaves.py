"""One array of a foreign world as an item of ours: how its values are read, and how actions are given back."""

import dataclasses
from typing import Any

import numpy as np

from data_pipelines.spec import ItemSpec, Kind
from data_pipelines.suites.outside.objects import WorldError
from data_pipelines.vocabulary import BINS

PICTURE_SIDE = 12
"""Bytes of [height, width (, 1 or 3)] with sides of at least this are pictures; smaller ones are symbols, as in an
import."""


@dataclasses.dataclass(frozen=True, eq=False)
class Leaf:
    """An array of a foreign world.

    Args:
      item: as ours.
      path: keys and indices that lead to it in the foreign observation; () where that is the array itself.
      shape, dtype: as the world has them.
      start: what is taken off discrete values, so that they begin at 0.
      low, high: of each value, for actions; continuous values are clipped to them.
    """

    item: ItemSpec
    path: tuple[str | int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    start: Any = 0
    low: Any = None
    high: Any = None

    def read(self, value: Any) -> np.ndarray | str:
        """The foreign value as ours. One of another shape or dtype comes back as it is, for the check to name."""
        if self.item.kind is Kind.TEXT:
            return str(value) if isinstance(value, str | bytes | np.str_) else value
        array = np.asarray(value)
        if array.shape != self.shape or array.dtype.kind not in "fiub":
            return array
        if self.item.kind is Kind.IMAGE:
            return array.reshape(self.item.shape)
        if self.item.kind is Kind.DISCRETE:
            return array.astype(np.int64) - self.start if array.dtype.kind != "f" else array
        with np.errstate(over="ignore"):  # What is too large for float32 becomes infinite, which the check names.
            return array.astype(self.item.dtype)

    def give(self, action: np.ndarray) -> Any:
        """Our action as the world takes it."""
        if self.item.kind is Kind.CONTINUOUS:
            value = np.clip(action, self.low, self.high)
            value = np.rint(value) if self.dtype.kind in "iu" else value
        else:
            value = np.asarray(action, np.int64) + self.start
        array = np.asarray(value, self.dtype).reshape(self.shape)
        return array if self.shape else array[()]

    def random(self, rng: np.random.Generator) -> np.ndarray:
        """A uniform action of ours: inside the world's own range of each value."""
        if self.item.kind is Kind.CONTINUOUS:
            return rng.uniform(self.low, self.high, self.item.shape).astype(self.item.dtype)
        limits = self.item.radix or self.item.num_values
        return np.asarray(rng.integers(limits, size=self.item.shape), self.item.dtype)


def number_leaf(
    key: str, path: tuple[str | int, ...], shape: tuple[int, ...], dtype: Any, low: Any, high: Any, *, name: str
) -> Leaf:
    """An array of numbers between `low` and `high` (of each value, or of all; infinite where there is none).

    Args:
      key: ours; "action" for the action, which must be bounded.
      name: what the world calls it, for messages.

    Raises:
      WorldError: a shape without values, or an action without a range.
    """
    dtype, shape = np.dtype(dtype), tuple(int(size) for size in shape)
    if 0 in shape:
        raise WorldError(f"{name}: expected at least one value, found shape {shape}")
    low, high = (np.broadcast_to(np.asarray(end), shape) for end in (low, high))
    common: dict[str, Any] = {"path": path, "shape": shape, "dtype": dtype}
    if key != "action" and dtype == np.uint8 and _is_picture(shape, name):
        return Leaf(ItemSpec(key, Kind.IMAGE, (*shape, 1) if len(shape) == 2 else shape, "uint8"), **common)
    if dtype.kind in "iub":
        low, high = low.astype(np.float64), high.astype(np.float64)
        if (high - low).max() < BINS:
            start = low.astype(np.int64)
            count = int((high - low).max()) + 1
            item = ItemSpec(key, Kind.DISCRETE, shape, "int32", num_values=count)
            if key == "action" and ((high - low) != count - 1).any():
                raise WorldError(f"{name}: whole numbers of an action have one range, found {low} to {high}")
            return Leaf(item, start=start, **common)
    elif dtype.kind != "f":
        raise WorldError(f"{name}: expected numbers, found dtype {dtype}")
    if key != "action":
        return Leaf(ItemSpec(key, Kind.CONTINUOUS, shape, "float32"), **common)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise WorldError(
            f"{name}: an action needs a finite range, from which 1,024 bins are made, found {_ends(low)} to "
            f"{_ends(high)}; bound it, such as with gymnasium.wrappers.RescaleAction"
        )
    item = ItemSpec(key, Kind.CONTINUOUS, shape, "float32", low=float(low.min()), high=float(high.max()))
    return Leaf(item, low=low, high=high, **common)


def discrete_leaf(key: str, path: tuple[str | int, ...], count: int, start: int, *, name: str) -> Leaf:
    """One whole number in [start, start + count). Raises `WorldError` where there are more than tokens."""
    _check_count(int(count), name)
    item = ItemSpec(key, Kind.DISCRETE, (), "int32", num_values=int(count))
    return Leaf(item, path, (), np.dtype(np.int64), start=int(start))


def digits_leaf(key: str, path: tuple[str | int, ...], counts: Any, start: Any, dtype: Any, *, name: str) -> Leaf:
    """An array of whole numbers, each with a range of its own from `start`.

    Raises:
      WorldError: more values than tokens, or a matrix whose rows have other ranges.
    """
    counts = np.asarray(counts)
    _check_count(int(counts.max()), name)
    rows = counts.reshape(-1, counts.shape[-1])
    if (rows != rows[0]).any():
        raise WorldError(f"{name}: rows of a matrix of digits need equal ranges, found {counts.tolist()}; flatten it")
    radix = tuple(int(count) for count in rows[0])
    same = len(set(radix)) == 1
    item = ItemSpec(
        key, Kind.DISCRETE, counts.shape, "int32", radix=() if same else radix, num_values=int(counts.max())
    )
    return Leaf(item, path, counts.shape, np.dtype(dtype), start=np.asarray(start, np.int64))


def text_leaf(key: str, path: tuple[str | int, ...]) -> Leaf:
    """One text."""
    return Leaf(ItemSpec(key, Kind.TEXT, (), "str"), path, (), np.dtype(object))


def _check_count(count: int, name: str) -> None:
    if not 1 <= count <= BINS:
        raise WorldError(f"{name}: expected 1 to {BINS:,} values, as there are tokens, found {count:,}")


def _is_picture(shape: tuple[int, ...], name: str) -> bool:
    if len(shape) not in (2, 3) or sorted(shape)[-2] < PICTURE_SIDE:
        return False
    if min(shape[:2]) < PICTURE_SIDE or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise WorldError(
            f"{name}: expected a picture of [height, width], or with 1 or 3 channels behind, found shape {shape}; put "
            "channels last, drop alpha, and give stacked frames as a picture each (a Dict of them)"
        )
    return True


def _ends(values: np.ndarray) -> str:
    return np.array2string(np.unique(values), precision=4, threshold=6)
