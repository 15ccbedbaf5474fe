"""Ranges of settings: written in a field's type, and checked for a whole dataclass at once.

    learning_rate: Positive = 1e-4
    clip: Positive | None = None

    def __post_init__(self):
        check_fields(self, "optimizer")

Arguments of a function have them too (`check_call`). A number is always finite, an integer is never a boolean or a
float, and a tuple has the length of its type.
"""

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

LARGEST_INT = 2**31 - 1
"""Counts become int32 on the devices."""
LARGEST_FLOAT = 1e38
"""float32, in which devices compute, ends at 3.4e38."""


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers between `low` and `high`; an end is in the range unless it is open."""

    low: float
    high: float = LARGEST_FLOAT
    low_open: bool = False
    high_open: bool = False

    def problem(self, value: float) -> str | None:
        """What a value has to be that is not in the range; None where it is."""
        below = value <= self.low if self.low_open else value < self.low
        above = value >= self.high if self.high_open else value > self.high
        if not below and not above:
            return None
        if self.high not in (LARGEST_INT, LARGEST_FLOAT):
            return f"be in {'(' if self.low_open else '['}{self.low:g}, {self.high:g}{')' if self.high_open else ']'}"
        if above:
            return f"be at most {self.high:,}" if self.high == LARGEST_INT else f"be at most {self.high:g}"
        return "not be negative" if self.low == 0 and not self.low_open else "be positive"


Count = Annotated[int, Range(1, LARGEST_INT)]
Natural = Annotated[int, Range(0, LARGEST_INT)]
Seed = Annotated[int, Range(0, 2**32, high_open=True)]
Minutes = Annotated[float, Range(0, 1e6, low_open=True)]
Positive = Annotated[float, Range(0, low_open=True)]
NotNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
ShareAboveNone = Annotated[float, Range(0, 1, low_open=True)]
ShareBelowAll = Annotated[float, Range(0, 1, high_open=True)]


def check_fields(settings: Any, path: str) -> None:
    """Checks every field of a dataclass against its type; settings inside it are looked through too.

    Raises:
      ValueError: a value of another type or out of its range. The message has the key's path, what was expected, and
        what was found.
    """
    whole: Any = type(settings)
    for name, kind in _hints(whole).items():
        check_value(getattr(settings, name), kind, f"{path}.{name}" if path else name)


def check_call(
    function: Callable[..., Any], arguments: Mapping[str, Any], *, named: Callable[[str], str] = str
) -> None:
    """Checks arguments of a function against its annotations: numbers, and sequences of numbers.

    Args:
      function: with ranges in its annotations.
      arguments: by name, as given or by default.
      named: how a message names an argument.

    Raises:
      ValueError: as `check_fields` does.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    for name, value in arguments.items():
        if is_number(hints[name]):
            check_value(value, hints[name], named(name))
        elif dataclasses.is_dataclass(value):  # Options that several commands share.
            shared: Any = type(value)
            for field, kind in _hints(shared).items():
                if is_number(kind) and "Range(" in str(kind):
                    check_value(getattr(value, field), kind, named(field))


def is_number(kind: Any) -> bool:
    """Whether a type is of a number, `X | None` of a number, or a tuple of numbers; with or without a range."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is Annotated:
        return is_number(arguments[0])
    return kind in (int, float) or any(map(is_number, arguments))


def check_value(value: Any, kind: Any, where: str) -> None:
    """Checks one value that is annotated as `kind`. Raises as `check_fields` does."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        optional = type(None) in arguments
        if value is None and optional:
            return
        (only,) = [argument for argument in arguments if argument is not type(None)]
        _check(value, only, where, "or None" if optional else "")
        return
    _check(value, kind, where, "")


def _check(value: Any, kind: Any, where: str, otherwise: str) -> None:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    behind = f", {otherwise}" if otherwise else ""
    if origin is Annotated:
        _check(value, arguments[0], where, otherwise)
        for bounds in (one for one in arguments[1:] if isinstance(one, Range)):
            if problem := bounds.problem(value):
                raise ValueError(f"{where} must {problem}{behind}, found {value}")
    elif kind is int or kind is float:
        _check_number(value, kind, where, behind)
    elif dataclasses.is_dataclass(kind):
        _check_type(value, kind, where, f"a {getattr(kind, '__name__', kind)}", behind)
        check_fields(value, where)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        _check_type(value, Mapping, where, "a mapping", behind)
        for key, item in value.items():
            check_value(item, arguments[1], f"{where}[{key!r}]")
    elif origin is tuple:
        _check_type(value, (tuple, list), where, "a tuple", behind)
        same = Ellipsis in arguments
        if not same and len(value) != len(arguments):
            raise ValueError(f"{where} must be {len(arguments)} values{behind}, found {list(value)}")
        for index, item in enumerate(value):
            check_value(item, arguments[0] if same else arguments[index], f"{where}[{index}]")
    elif kind in (bool, str):
        _check_type(value, kind, where, f"a {kind.__name__}", behind)
    elif isinstance(kind, enum.EnumMeta):
        _check_type(value, kind, where, f"one of {list(kind.__members__)}", behind)


def _check_number(value: Any, kind: type, where: str, behind: str) -> None:
    if kind is int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise ValueError(f"{where} must be a whole number{behind}, found {value!r}")
        return
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise ValueError(f"{where} must be a number{behind}, found {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{where} must be a finite number{behind}, found {value}")


def _check_type(value: Any, kind: Any, where: str, expected: str, behind: str) -> None:
    if not isinstance(value, kind):
        raise ValueError(f"{where} must be {expected}{behind}, found {value!r}")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """Types of the fields that a dataclass is made of, with their ranges."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
