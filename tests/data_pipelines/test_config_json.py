"""Settings to JSON: what is written, and in which order; old names. Reading is tested with the experiments."""

import dataclasses
import enum
import json

import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.config_json import RENAMED, decode, encode, path_with_new_names, with_new_names, with_old_names
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig


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


def data(**stream):
    group = RowGroup(("segments",), windows=3, window_length=8)  # A task may be called as a setting was.
    mixture = MixtureConfig({"segments": 1.0}, {"segment_length": group}, 8)
    return DataConfig("data", TokenConfig(), mixture, StreamConfig(**stream))


def test_old_names_are_decoded():
    now = encode(data(reseed_every=7))
    before = with_old_names(DataConfig, now)
    assert before["stream"]["segment_steps"] == 7
    assert before["mixture"]["weights"] == {"segments": 1.0}
    group = before["mixture"]["groups"]["segment_length"]
    assert (group["segments"], group["segment_length"], group["tasks"]) == (3, 8, ["segments"])
    assert not {"reseed_every", "windows", "window_length"} & {*before["stream"], *group}
    assert decode(DataConfig, before) == decode(DataConfig, now) == data(reseed_every=7)
    assert with_new_names(DataConfig, before) == now == with_new_names(DataConfig, now)


def test_a_part_of_the_settings_and_unknown_keys_keep_what_they_hold():
    before = {"stream": {"segment_steps": 3, "younger": {"segments": 1}}, "other": [1]}
    now = {"stream": {"reseed_every": 3, "younger": {"segments": 1}}, "other": [1]}
    assert with_new_names(DataConfig, before) == now
    assert with_new_names(DataConfig, {"stream": 3}) == {"stream": 3}


def test_both_names_of_one_setting_are_refused():
    both = {"tasks": ["a"], "segments": 2, "windows": 3}
    with pytest.raises(ValueError, match="group: 'segments' is the old name of 'windows', found both; keep 'windows'"):
        decode(RowGroup, both, path="group")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("stream.segment_steps", "stream.reseed_every"),
        ("stream.segment-steps", "stream.reseed_every"),
        ("mixture.groups.segments.segments", "mixture.groups.segments.windows"),
        ("mixture.weights.segments", "mixture.weights.segments"),
        ("stream.seed", "stream.seed"),
        ("nowhere.segments", "nowhere.segments"),
    ],
)
def test_old_paths_become_those_of_today(before, now):
    assert path_with_new_names(DataConfig, before) == now


def test_python_takes_old_names_with_a_warning():
    with pytest.warns(FutureWarning, match=r"RowGroup\.segments is now called windows") as told:
        group = RowGroup(("a",), segments=3, window_length=8)
    assert [warning.filename for warning in told] == [__file__]
    assert group == RowGroup(("a",), windows=3, window_length=8)
    with pytest.warns(FutureWarning, match=r"StreamConfig\.segment_steps is now called reseed_every"):
        assert StreamConfig(reseed_every=5).segment_steps == 5
    with (
        pytest.warns(FutureWarning),
        pytest.raises(TypeError, match="RowGroup: segments is the old name of windows, and both are given"),
    ):
        dataclasses.replace(group, segments=1)


def test_the_table_names_fields_that_are_there():
    for kind in (RowGroup, StreamConfig):
        assert set(RENAMED[kind.__name__].values()) < {field.name for field in dataclasses.fields(kind)}
