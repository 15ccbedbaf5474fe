"""Settings to JSON: what is written, and in which order. Reading is tested with the experiments."""

import dataclasses
import enum
import json

import pytest

from data_pipelines.config_json import encode


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Inner:
    size: tuple[int, ...] = (1, 2)


@dataclasses.dataclass(frozen=True)
class Outer:
    weights: dict
    colour: Colour = Colour.RED
    inner: Inner = dataclasses.field(default_factory=Inner)


def test_fields_keep_their_order_and_mappings_may_be_sorted():
    settings = Outer({"b": 1.0, "a": None})
    rest = '"colour": "red", "inner": {"size": [1, 2]}}'
    assert json.dumps(encode(settings)) == '{"weights": {"b": 1.0, "a": null}, ' + rest
    assert json.dumps(encode(settings, sort_keys=True)) == '{"weights": {"a": null, "b": 1.0}, ' + rest


def test_what_json_cannot_hold_is_an_error():
    with pytest.raises(TypeError, match="cannot write a set into a config"):
        encode(Outer({"a": {1}}))
