"""Ranges of settings: what a field accepts, and what the error says."""

import dataclasses
import enum
import math
import re
from collections.abc import Mapping

import pytest

from data_pipelines.ranges import Count, Natural, Positive, Share, ShareBelowAll, check_call, check_fields


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Inner:
    share: float = 0.5


@dataclasses.dataclass(frozen=True)
class Settings:
    count: Count = 1
    limit: Natural | None = None
    rate: Positive = 1.0
    share: Share = 1
    rest: ShareBelowAll = 0.0
    span: tuple[Natural, Count] | None = None
    names: tuple[str, ...] = ()
    weights: Mapping[str, Positive] = dataclasses.field(default_factory=dict)
    colour: Colour = Colour.RED
    inner: Inner = dataclasses.field(default_factory=Inner)
    on: bool = False


GOOD = [{}, {"count": 2**31 - 1}, {"limit": 0}, {"rate": 5}, {"span": (0, 1)}, {"names": ("a",)}, {"weights": {"a": 1}}]


@pytest.mark.parametrize("changes", GOOD)
def test_accepted(changes):
    check_fields(Settings(**changes), "it")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "it.count must be positive, found 0"),
        ({"count": 2**31}, "it.count must be at most 2,147,483,647, found 2147483648"),
        ({"count": 1.0}, "it.count must be a whole number, found 1.0"),
        ({"count": True}, "it.count must be a whole number, found True"),
        ({"limit": -1}, "it.limit must not be negative, or None, found -1"),
        ({"rate": 0}, "it.rate must be positive, found 0"),
        ({"rate": math.nan}, "it.rate must be a finite number, found nan"),
        ({"rate": -math.inf}, "it.rate must be a finite number, found -inf"),
        ({"rate": 1e308}, "it.rate must be at most 1e+38, found 1e+308"),
        ({"rate": "fast"}, "it.rate must be a number, found 'fast'"),
        ({"share": 1.5}, "it.share must be in [0, 1], found 1.5"),
        ({"rest": 1.0}, "it.rest must be in [0, 1), found 1.0"),
        ({"span": (1,)}, "it.span must be 2 values, or None, found [1]"),
        ({"span": (1, 0)}, "it.span[1] must be positive, found 0"),
        ({"names": "a"}, "it.names must be a tuple, found 'a'"),
        ({"weights": {"a": math.inf}}, "it.weights['a'] must be a finite number, found inf"),
        ({"colour": "red"}, "it.colour must be one of ['RED'], found 'red'"),
        ({"inner": Inner(math.nan)}, "it.inner.share must be a finite number, found nan"),
        ({"on": 1}, "it.on must be a bool, found 1"),
    ],
)
def test_refused(changes, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_fields(Settings(**changes), "it")


def dig(holes: Count, where: str = "", *, depths: tuple[Positive, ...] = (1.0,), lost: Share | None = None):
    """Of no use, but for its ranges."""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"holes": 0}, "--holes must be positive, found 0"),
        ({"holes": 1, "depths": (1.0, math.nan)}, "--depths[1] must be a finite number, found nan"),
        ({"lost": 1.5}, "--lost must be in [0, 1], or None, found 1.5"),
    ],
)
def test_arguments_of_a_function(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_call(dig, given, named="--{}".format)
    check_call(dig, {"holes": 1, "where": 3, "depths": (0.5,), "lost": None})
