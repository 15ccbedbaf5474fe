"""The one door: what a run trained comes out as the network that acts."""

import dataclasses

import numpy as np
import pytest

from data_pipelines.vocabulary import BINS
from gato_jax.model.gato import bind
from gato_jax.training.checkpoints.checkpoint import load_params
from gato_jax.training.train import train
from gato_jax.weights.initial import open_initial_weights
from gato_jax.weights.load import load_weights
from gato_jax.weights.source import open_source


@pytest.fixture(scope="module")
def smooth_run(tiny, tmp_path_factory):
    """A run of a few steps whose bins share features."""
    experiment = tiny.tiny_experiment(steps=4, model=tiny.tiny_model(bin_waves=3))
    out = tmp_path_factory.mktemp("smooth") / "run"
    train(experiment, out, open_stream=tiny.SyntheticStream)
    return experiment, out


def test_features_of_bins_are_folded_into_the_table(tiny, smooth_run):
    _, out = smooth_run
    trained, parameters = load_params(out)
    assert np.abs(parameters["embedding"]["bins"]).max() > 0
    weights = load_weights(out)
    assert (trained.model.bin_waves, weights.experiment.model.bin_waves) == (3, 0)
    assert "bins" not in weights.parameters["embedding"]
    assert not open_source(out).optimizer, "its moments are of another network"
    batch = tiny.rows(tiny.GROUPS["control"], 2, 0)
    start = tiny.VOCABULARY.continuous_start
    batch["tokens"][:] = np.random.default_rng(0).integers(start, start + BINS, batch["tokens"].shape)
    expected = bind(trained.model, tiny.VOCABULARY, parameters)(batch)
    actual = bind(weights.experiment.model, tiny.VOCABULARY, weights.parameters)(batch)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_another_run_begins_with_the_folded_table(smooth_run):
    experiment, out = smooth_run
    for waves, new in ((0, []), (5, ["embedding/bins"])):
        model = dataclasses.replace(experiment.model, bin_waves=waves)
        begun = open_initial_weights(
            dataclasses.replace(
                experiment, model=model, train=dataclasses.replace(experiment.train, init_from=str(out))
            )
        )
        assert [rows.parameter for rows in begun.new] == new
        assert begun.unused == ()
