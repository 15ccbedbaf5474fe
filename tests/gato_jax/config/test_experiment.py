"""Experiments: to JSON and back, by name and by path, and errors that name the key."""

import dataclasses
import functools
import json
import math
import re

import pytest

from data_pipelines.config_json import encode
from gato_jax.config import Experiment, OptimizerConfig, TrainConfig, load_experiment


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cut.json", '{"name": "tin', "cut.json: expected an experiment.*cut short"),
        ("empty.json", "", "empty.json: expected an experiment.*found an empty file"),
        ("list.json", "[1]", "list.json: expected an experiment.*found a list"),
        ("odd.json", '{"nmae": "x"}', r"odd.json: Experiment: unknown key 'nmae'; did you mean 'name'"),
        ("broken.py", "x = 1\n\ndef (", "file .*broken.py, line 3: SyntaxError"),
        ("raising.py", "x = 1\ny = z", "file .*raising.py, line 2: NameError: name 'z' is not defined"),
        ("absent.py", None, "file .*absent.py does not exist"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        load_experiment(tmp_path / name)


def test_json_round_trip(tiny):
    experiment = tiny.tiny_experiment()
    assert Experiment.from_json(experiment.to_json()) == experiment


def changed(tiny, path, value):
    data = json.loads(tiny.tiny_experiment().to_json())
    node = data
    *parts, last = path.split(".")
    for part in parts:
        node = node[part]
    node[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model.widht", 64, r"model: unknown key 'widht'; did you mean 'width'"),
        ("model.width", "64", r"model\.width: expected int, found '64'"),
        ("model.positions", "rotary_", r"model\.positions: expected one of \['transformer_xl', .*found 'rotary_'"),
        (
            "data.mixture.groups.control.window_length",
            64,
            r"row group 'control': window_length 64 exceeds model\.max_length",
        ),
        ("data.tokens.action_positions", "same", r"512 and one row for actions exceed model\.local_pos"),
        ("data.tokens.max_observation_tokens", 600, r"max_observation_tokens 600 exceeds model\.local_positions 512"),
        ("train.steps", 0, r"train\.steps must be positive, or None, found 0"),
        ("train.profile", [1], r"train\.profile: expected 2 values, found \[1\]"),
        (
            "data.mixture.weights",
            {"a.one": 1e308, "a.two": 1, "v.three": 1},
            r"weights\['a\.one'\] must be at most 1e\+38",
        ),
        (
            "data.mixture.weights",
            {"a\n.one": 1, "a.two": 1},
            r"the name of a task must be one line .*found 'a\\n\.one'",
        ),
    ],
)
def test_errors_name_the_key(tiny, path, value, message):
    with pytest.raises(ValueError, match=message):
        Experiment.from_json(changed(tiny, path, value))


def numbers(value, path=()):
    """(path, value) of every number in what `encode` gives."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, (*path, key))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def test_no_number_is_accepted_that_is_none(tiny):
    """Every numeric setting of an experiment, one after the other: NaN, infinities, and what int32 or float32 lack."""
    experiment = dataclasses.replace(
        tiny.tiny_experiment(minutes=1.0, checkpoint_minutes=1.0, peak_tflops=1.0, processes=1, process=0),
        optimizer=OptimizerConfig(decay_steps=10, clip=1.0),
    )
    paths = list(numbers(encode(experiment)))
    assert len(paths) > 80
    for path, value in paths:
        for wrong in (math.nan, math.inf, -math.inf, 1e308, True, -5):
            data = encode(experiment)
            node = functools.reduce(lambda part, key: part[key], path[:-1], data)
            node[path[-1]] = (
                int(wrong) if isinstance(value, int) and math.isfinite(wrong) and wrong is not True else wrong
            )
            with pytest.raises(ValueError, match=re.escape(path[-1])):
                Experiment.from_dict(data)


def test_missing_key(tiny):
    data = json.loads(tiny.tiny_experiment().to_json())
    del data["model"]["width"]
    with pytest.raises(ValueError, match="model: missing key 'width'"):
        Experiment.from_json(json.dumps(data))


def test_a_run_has_a_bound():
    with pytest.raises(ValueError, match=r"train\.steps and train\.minutes are both None"):
        TrainConfig()


def test_loading_by_path(tiny, tmp_path):
    experiment = tiny.tiny_experiment()
    (tmp_path / "config.json").write_text(experiment.to_json())
    assert load_experiment(tmp_path / "config.json") == experiment
    code = f"from gato_jax.config import Experiment\nEXPERIMENT = Experiment.from_json({experiment.to_json()!r})\n"
    (tmp_path / "mine.py").write_text(code)
    assert load_experiment(str(tmp_path / "mine.py")) == experiment
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ValueError, match=r"neither a function experiment\(\) nor a value EXPERIMENT"):
        load_experiment(tmp_path / "empty.py")
    with pytest.raises(ValueError, match="does not exist"):
        load_experiment(tmp_path / "absent.py")


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown experiment 'quickstrat'; did you mean quickstart"):
        load_experiment("quickstrat")
