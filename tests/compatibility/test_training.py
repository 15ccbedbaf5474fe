"""Training begins, and goes on, as it did in commit 6c3b28a: networks of every position scheme, and `gato train`."""

import json

import jax
import numpy as np
import pytest

from data_pipelines.config_json import encode, with_new_names
from gato_jax import cli
from gato_jax.config import Experiment, Positions
from gato_jax.training.checkpoints.checkpoint import verify
from gato_jax.training.run_directory import read_records
from gato_jax.training.train import train
from gato_jax.weights.load import load_weights
from gato_jax.weights.source import open_source

every_scheme = pytest.mark.parametrize("positions", list(Positions), ids=lambda positions: positions.value)


JAX_OF_THE_FILES = jax.__version__.startswith("0.10.")
"""Another JAX draws initial parameters with other last bits."""
NORM_TOLERANCE = 1e-5 if JAX_OF_THE_FILES else 3e-3
"""These bits grow in gradients: JAX 0.12 had norms within 7e-4 of the stored ones, and losses within 2e-7."""

NEW = {
    "train.init_from", "train.init_digest", "evaluation.environments", "evaluation.prompts", "evaluation.baselines",
    "model.bin_waves", "evaluation.worlds", "agent.full_window", "agent.sampling",
}  # fmt: skip
"""Settings that came after that commit."""


def only_new(before, now, path=""):
    """Names of the settings that only `now` has; all others are equal."""
    before = before if path else with_new_names(Experiment, before)
    if not isinstance(before, dict):
        assert before == now, path
        return set()
    assert before.keys() <= now.keys(), path
    names = {f"{path}{key}" for key in now.keys() - before.keys()}
    return names.union(*(only_new(before[key], now[key], f"{path}{key}.") for key in before))


@pytest.fixture(scope="module")
def stored(small):
    return small.expected("training")


def assert_close(actual, expected):
    """Records of training: rows and batches are equal, losses within 1e-5 of each other."""
    assert [record["step"] for record in actual] == [record["step"] for record in expected]
    for here, there in zip(actual, expected, strict=True):
        assert here.keys() == there.keys()
        for key in ("task_rows", "batch_hash"):
            assert here[key] == there[key], f"{key} of step {here['step']}"
        for key in ("loss", "group_loss", "task_loss"):
            assert here[key] == pytest.approx(there[key], rel=1e-5), f"{key} of step {here['step']}"
        norm = pytest.approx(there["gradient_norm"], rel=NORM_TOLERANCE)
        assert here["gradient_norm"] == norm, f"gradient_norm of step {here['step']}"


@every_scheme
def test_an_experiment_has_the_settings_that_it_had(small, stored, positions, tmp_path):
    """Defaults too: what the same lines of Python say is written as before, and what is new has its default."""
    experiment = small.synthetic_experiment(positions)
    text = (small.unpack(positions.value, tmp_path) / "config.json").read_text()
    assert Experiment.from_json(text) == experiment
    assert json.loads(text) == stored["runs"][positions.value]["experiment"]
    assert only_new(json.loads(text), encode(experiment)) <= NEW


@every_scheme
def test_parameters_begin_as_they_did(small, stored, positions):
    frozen = stored["runs"][positions.value]
    parameters = small.initial_parameters(small.synthetic_experiment(positions))
    samples = small.samples(parameters)
    assert sorted(samples) == sorted(frozen["initial"])
    for name, values in samples.items():
        np.testing.assert_allclose(values, frozen["initial_samples"][name], rtol=2e-6, atol=1e-9, err_msg=name)
    parameter_digests = small.digests(parameters)
    kinds = lambda digests: {name: digest.split(" ")[:-1] for name, digest in digests.items()}  # noqa: E731
    assert kinds(parameter_digests) == kinds(frozen["initial"])
    if JAX_OF_THE_FILES and small.rounding() == stored["rounding"]:
        assert parameter_digests == frozen["initial"]


@every_scheme
def test_the_same_rows_give_the_same_losses(small, stored, positions, tmp_path):
    train(small.synthetic_experiment(positions), tmp_path / "run", open_stream=small.SyntheticStream)
    frozen = stored["runs"][positions.value]
    assert_close(small.records(tmp_path / "run"), frozen["records"])
    names = {"checkpoints", "config.json", "metrics.jsonl", "run.lock", "summary.json", "tensorboard"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"5", "10"}


@every_scheme
def test_an_old_checkpoint_is_read(small, stored, positions, tmp_path):
    run, frozen = small.unpack(positions.value, tmp_path), stored["runs"][positions.value]
    verify(run / "checkpoints" / str(small.SAVED))
    weights = load_weights(run)
    assert weights.step == small.SAVED
    assert weights.experiment == small.synthetic_experiment(positions)
    assert small.digests(weights.parameters) == frozen["parameters"]
    # What exports read: the same, but for the rows that only pad the token table, which are zeros there.
    exported, kept = (small.leaves(tree) for tree in (open_source(run).weights().parameters, weights.parameters))
    size = weights.experiment.data.tokens.vocabulary.size
    assert not exported["embedding/tokens"][size:].any()
    exported["embedding/tokens"] = np.r_[exported["embedding/tokens"][:size], kept["embedding/tokens"][size:]]
    assert small.digests(exported) == frozen["parameters"]
    assert small.optimizer_digests(run) == frozen["optimizer"]


@every_scheme
def test_an_old_run_is_continued_from_its_checkpoint(small, stored, positions, tmp_path):
    """It died in step 8, and its last checkpoint is that of step 5."""
    run, streams = small.unpack(positions.value, tmp_path), []
    before = (run / "metrics.jsonl").read_text().splitlines()[: small.SAVED]

    def open_stream(*arguments):
        streams.append(small.SyntheticStream(*arguments))
        return streams[-1]

    result = train(small.synthetic_experiment(positions), run, open_stream=open_stream)
    assert result.finished
    assert [step for stream in streams for step in stream.dealt] == list(range(small.SAVED, small.STEPS))
    assert (run / "metrics.jsonl").read_text().splitlines()[: small.SAVED] == before
    assert_close(small.records(run), stored["runs"][positions.value]["records"])
    assert json.loads((run / "summary.json").read_text())["task_rows"] == small.records(run)[-1]["task_rows"]


def test_the_command_line_refuses_to_continue_a_run_of_other_batches(small, tmp_path, monkeypatch, capsys):
    """`gato train EXPERIMENT --out RUN` in a directory whose process was killed after the checkpoint of step 2.

    Version 3 of the data pipeline dealt timesteps in another order.
    """
    small.unpack("acting", tmp_path)
    before = read_records(tmp_path / "run")[:2]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "experiment.json", "--out", "run", "--json"])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert "was saved by version 3 of the data pipeline, which deals other batches than version 4" in error
    assert read_records(tmp_path / "run")[:2] == before
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["2"]


def test_an_old_experiment_file_is_today_s_experiment(small, tmp_path):
    small.unpack("acting", tmp_path)
    for text in (tmp_path / "experiment.json").read_text(), (tmp_path / "run" / "config.json").read_text():
        assert Experiment.from_json(text) == small.acting_experiment()
        assert only_new(json.loads(text), encode(small.acting_experiment())) <= NEW
