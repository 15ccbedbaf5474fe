"""Experiments: to JSON and back, by name and by path, and errors that name the key."""

import json

import pytest

from gato_jax.config import Experiment, TrainConfig, load_experiment


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
            "data.mixture.groups.control.segment_length",
            64,
            r"row group 'control': segment_length 64 exceeds model\.max_length",
        ),
        ("data.tokens.action_positions", "same", r"512 and one row for actions exceed model\.local_pos"),
        ("data.tokens.max_observation_tokens", 600, r"max_observation_tokens 600 exceeds model\.local_positions 512"),
        ("train.steps", 0, r"train\.steps must be positive, found 0"),
    ],
)
def test_errors_name_the_key(tiny, path, value, message):
    with pytest.raises(ValueError, match=message):
        Experiment.from_json(changed(tiny, path, value))


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
