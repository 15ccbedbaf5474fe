"""Values that cannot become tokens: where they are, and what the error says.

A check marks the bad entries of one kind of values, [timesteps, columns]. The first bad entry is reported: kinds in
canonical order, then timesteps, then columns.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from data_pipelines.errors import Origin, TimestepError, describe
from data_pipelines.spec import ItemSpec, Kind, lookup
from data_pipelines.tokenizers.discrete import DiscreteCodec

FINITE = "a finite number"
DTYPES = {
    Kind.TEXT: ("text", "SUO"),
    Kind.IMAGE: ("uint8", ""),
    Kind.DISCRETE: ("an integer dtype", "iub"),
    Kind.CONTINUOUS: ("a floating or integer dtype", "fiu"),
}
"""Per kind: what its dtype is to be, and the letters of the NumPy dtypes that are."""


class Column(NamedTuple):
    """One column of a check.

    Args:
      key: of its item.
      expected: what its values are to be.
      place: where in the item it stands, such as " at [0, 2]"; "" for a scalar.
    """

    key: str
    expected: str
    place: str = ""


class Check(NamedTuple):
    """Bad entries of some columns, and what is there instead: a string for (timestep, column)."""

    bad: Bool[np.ndarray, "timesteps columns"]
    columns: Sequence[Column]
    found: Callable[[int, int], str]


def raise_first(task: str, checks: Sequence[Check], origin: Origin | None) -> None:
    """Raises `TimestepError` for the first bad entry of the first check that has one."""
    for check in checks:
        if check.bad.any():
            row, index = (int(i) for i in np.argwhere(check.bad)[0])
            column = check.columns[index]
            actual = check.found(row, index) + column.place
            where = {} if origin is None else origin.at(row)
            raise TimestepError(describe(task, column.key, column.expected, actual, **where))


@functools.cache
def finite_columns(item: ItemSpec, key: str = "") -> tuple[Column, ...]:
    """Columns of a continuous item."""
    return tuple(Column(key or item.key, FINITE, place) for place in _places(item))


@functools.cache
def integer_columns(item: ItemSpec, key: str = "") -> tuple[Column, ...]:
    """Columns of a discrete item, each with the range of its digit."""
    limits = DiscreteCodec.limits(item).ravel().tolist()
    columns = zip(limits, _places(item), strict=True)
    return tuple(Column(key or item.key, f"an integer in [0, {limit})", place) for limit, place in columns)


def text_column(item: ItemSpec, slots: int) -> Column:
    """The column of a textual item."""
    return Column(item.key, f"text of at most tokens.text_tokens = {slots} tokens")


def _places(item: ItemSpec) -> list[str]:
    return [f" at {list(index)}" if index else "" for index in np.ndindex(item.shape)]


def is_finite(values: np.ndarray, columns: Sequence[Column]) -> Check:
    """Check of float32 values [timesteps, columns]."""
    return Check(~np.isfinite(values), columns, lambda row, column: str(values[row, column]))


@functools.cache
def action_columns(item: ItemSpec, key: str = "") -> tuple[Column, ...]:
    """Columns of a continuous action, each with the range of its spec."""
    expected = f"a number in [{item.low:g}, {item.high:g}], the range in its spec.json"
    return tuple(Column(key or item.key, expected, place) for place in _places(item))


def is_between(values: np.ndarray, low: float, high: float, columns: Sequence[Column]) -> Check:
    """Check that float32 values [timesteps, columns] are from `low` to `high`, as float32 has these; NaN is not."""
    outside = ~((values >= np.float32(low)) & (values <= np.float32(high)))
    return Check(outside, columns, lambda row, column: str(values[row, column]))


def is_in_range(values: np.ndarray, limits: np.ndarray, columns: Sequence[Column]) -> Check:
    """Check that 0 <= values [timesteps, columns] < limits [columns]."""
    return Check((values < 0) | (values >= limits), columns, lambda row, column: str(values[row, column]))


def find(task: str, observation: Mapping[str, Any], item: ItemSpec, *, origin: Origin | None = None) -> Any:
    """The item's value in a nested observation. Raises `TimestepError` when it is missing."""
    try:
        return lookup(observation, item.path)
    except KeyError as error:
        where = {} if origin is None else origin.at(0)
        raise TimestepError(describe(task, item.key, "a value", f"none ({error.args[0]})", **where)) from error


def check_item(
    task: str,
    item: ItemSpec,
    shape: Sequence[int | None],
    dtype: np.dtype,
    *,
    key: str = "",
    origin: Origin | None = None,
) -> None:
    """Raises `TimestepError` unless shape (without time; None = any) and dtype are what the item's kind needs."""
    where = {} if origin is None else origin.at(0)
    expected, letters = DTYPES[item.kind]
    if not (dtype == np.uint8 if item.kind is Kind.IMAGE else dtype.kind in letters):
        raise TimestepError(describe(task, key or item.key, expected, str(dtype), **where))
    expected_shape = () if item.kind is Kind.TEXT else item.shape
    if len(shape) != len(expected_shape) or any(
        size not in (None, want) for size, want in zip(shape, expected_shape, strict=True)
    ):
        raise TimestepError(
            describe(task, key or item.key, f"shape {expected_shape}", f"shape {tuple(shape)}", **where)
        )
