"""Smooth features of bins: neighbours are alike, they begin as nothing, and fold into the table."""

import dataclasses

import jax
import numpy as np

from data_pipelines.vocabulary import BINS
from gato_jax.model.bins import bin_features, folded
from gato_jax.model.gato import bind, init_parameters


def test_neighbours_are_alike_and_distant_bins_are_not():
    features = bin_features(31)
    assert features.shape == (BINS, 64)
    assert np.abs(features).max() <= 0.5
    distance = lambda step: np.linalg.norm(features[step:] - features[:-step], axis=1).mean()  # noqa: E731
    assert distance(1) < distance(4) / 3 < distance(64) / 6
    assert len(np.unique(features, axis=0)) == BINS


def networks(tiny):
    """The same network without features, and with them, at the same seed."""
    plain = tiny.tiny_model()
    smooth = dataclasses.replace(plain, bin_waves=5)
    return (
        plain,
        smooth,
        *(init_parameters(config, tiny.VOCABULARY, key=jax.random.key(0)) for config in (plain, smooth)),
    )


def batch_of(tiny):
    group = tiny.GROUPS["control"]
    batch = group.zeros(2)
    start = tiny.VOCABULARY.continuous_start
    batch["tokens"][:] = np.random.default_rng(0).integers(start, start + BINS, batch["tokens"].shape)
    batch["token_type"][:] = 2
    batch["segment_ids"][:] = 1
    batch["positions"][:] = np.arange(batch["tokens"].shape[1])
    return batch


def test_a_network_begins_as_one_without(tiny):
    plain, smooth, ours, theirs = networks(tiny)
    assert not theirs["embedding"].pop("bins").any()
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert repr(plain) == repr(smooth), "evaluations are known by it"


def test_the_folded_table_is_the_same_network(tiny):
    plain, smooth, _, parameters = networks(tiny)
    weights = np.random.default_rng(1).normal(0, 0.1, parameters["embedding"]["bins"].shape).astype(np.float32)
    parameters["embedding"]["bins"] = weights
    batch = batch_of(tiny)
    expected = np.asarray(bind(smooth, tiny.VOCABULARY, parameters)(batch))
    untouched = {**parameters, "embedding": {k: v for k, v in parameters["embedding"].items() if k != "bins"}}
    table = folded(untouched["embedding"]["tokens"], weights, start=tiny.VOCABULARY.continuous_start)
    whole = {**untouched, "embedding": {**untouched["embedding"], "tokens": table}}
    np.testing.assert_allclose(np.asarray(bind(plain, tiny.VOCABULARY, whole)(batch)), expected, atol=1e-5)
    without = np.asarray(bind(plain, tiny.VOCABULARY, untouched)(batch))
    finite = np.isfinite(expected)
    assert np.abs(without[finite] - expected[finite]).max() > 0.01
