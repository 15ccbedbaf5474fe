"""How a command reads an experiment: the help of its fields, and its dictionaries."""

import dataclasses
import re

import pytest

from gato_jax import cli
from gato_jax.cli import experiment
from gato_jax.cli.common import UsageError
from gato_jax.config import load_experiment


@pytest.fixture(scope="module")
def quickstart():
    return load_experiment("quickstart")


def shown(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "quickstart", *arguments])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_help_is_of_the_common_fields(capsys):
    text = shown(capsys, "--help")
    options = set(re.findall(r"^\W (--[a-z]\S+)", text, re.MULTILINE))
    assert options == {f"--{path.replace('_', '-')}" for path in experiment.COMMON}
    assert len(options) == 20
    assert "length of the run; None = as many as `minutes`" in text
    assert "--help-all shows all" in " ".join(text.split())
    assert len(text.splitlines()) < 100


def test_all_help_is_of_all_fields(capsys):
    text = shown(capsys, "--help-all")
    assert "--optimizer.final-ratio" in text
    assert "--data.mixture.weights.babyai.go-to-obj" in text


def test_common_fields_are_fields(quickstart):
    for path in experiment.COMMON:
        value = quickstart
        for part in path.split("."):
            value = getattr(value, part)


def read(quickstart, *arguments):
    return experiment.read_experiment("train", "quickstart", quickstart, arguments)


def test_a_dictionary_takes_key_and_value(quickstart):
    changed = read(
        quickstart, "--data.mixture.weights", "vqa.easy_vqa", "20", "text.python_docs", "3", "--train.steps", "7"
    )
    weights = {**quickstart.data.mixture.weights, "vqa.easy_vqa": 20.0, "text.python_docs": 3.0}
    assert changed.data.mixture.weights == weights
    assert changed.train.steps == 7
    assert dataclasses.replace(changed.data, mixture=quickstart.data.mixture) == quickstart.data


def test_a_key_that_is_not_there(quickstart):
    with pytest.raises(UsageError, match=r"weights: expected a key.*found 'vqa\.easy_vq'; nearest: \['vqa\.easy_vqa'"):
        read(quickstart, "--data.mixture.weights", "vqa.easy_vq", "20")
    with pytest.raises(UsageError, match=r"weights vqa\.easy_vqa needs a value"):
        read(quickstart, "--data.mixture.weights", "vqa.easy_vqa")


def test_old_flags_work_and_warn_once_each(quickstart):
    before = (
        "--data.stream.segment-steps",
        "7",
        "--train.policy.name",
        "BANDIT",
        "--data.mixture.groups.vqa.segments=4",
    )
    now = ("--data.stream.reseed-every", "7", "--train.mixture-controller.name", "BANDIT")
    with pytest.warns(FutureWarning) as told:
        found = read(quickstart, *before, "--train.policy.arms", "DOMAIN")
    assert [str(warning.message) for warning in told] == [
        "--data.stream.segment-steps is now called --data.stream.reseed-every",
        "--train.policy.name is now called --train.mixture-controller.name",
        "--data.mixture.groups.vqa.segments is now called --data.mixture.groups.vqa.windows",
        "--train.policy.arms is now called --train.mixture-controller.arms",
    ]
    assert found == read(
        quickstart, *now, "--train.mixture-controller.arms", "DOMAIN", "--data.mixture.groups.vqa.windows=4"
    )
    assert found.data.stream.reseed_every == 7
