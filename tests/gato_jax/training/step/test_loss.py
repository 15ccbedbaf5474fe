"""The loss against plain NumPy, and the jitter's range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data_pipelines.vocabulary import TokenType
from gato_jax.config import LossConfig
from gato_jax.training.step.loss import jitter_observations, negative_log_likelihood


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


@pytest.fixture
def case(tiny):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6, tiny.VOCABULARY.padded_size)).astype(np.float32)
    logits[:, tiny.VOCABULARY.size :] = -np.inf
    start = tiny.VOCABULARY.continuous_start
    targets = np.asarray([3, start, start + 1023, start + 500, start + 500, tiny.VOCABULARY.separator], np.int32)
    kinds = np.asarray([TokenType.ACTION] * 4 + [TokenType.TEXT] + [TokenType.SEPARATOR], np.int32)
    return logits, targets, kinds


def test_hard_targets(tiny, case):
    logits, targets, _ = case
    losses = negative_log_likelihood(*map(jnp.asarray, case), vocabulary=tiny.VOCABULARY)
    np.testing.assert_allclose(losses, -log_softmax(logits)[np.arange(6), targets], rtol=1e-5)


def test_soft_targets_only_on_continuous_actions(tiny, case):
    logits, targets, _ = case
    losses = negative_log_likelihood(*map(jnp.asarray, case), vocabulary=tiny.VOCABULARY, sigma=6.0)
    expected = -log_softmax(logits)[np.arange(6), targets]
    start = tiny.VOCABULARY.continuous_start
    for row in (1, 2, 3):
        weights = np.exp(-((np.arange(1024) - (targets[row] - start)) ** 2) / 72)
        expected[row] = -(weights / weights.sum() * log_softmax(logits)[row, start : start + 1024]).sum()
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_gradients_are_finite_beside_impossible_ids(tiny, case):
    logits, targets, kinds = map(jnp.asarray, case)
    total = lambda x: negative_log_likelihood(x, targets, kinds, vocabulary=tiny.VOCABULARY, sigma=3.0).sum()  # noqa: E731
    gradient = np.asarray(jax.grad(total)(logits))
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-5)
    assert (gradient[:, tiny.VOCABULARY.size :] == 0).all()


def test_jitter_moves_continuous_observations_only(tiny):
    start = tiny.VOCABULARY.continuous_start
    tokens = jnp.tile(jnp.asarray([[start, start + 1023, start + 500, 5, start + 500]], jnp.int32), (400, 1))
    kinds = jnp.tile(jnp.asarray([[TokenType.OBSERVATION] * 4 + [TokenType.ACTION]], jnp.int32), (400, 1))
    batch = {"tokens": tokens, "token_type": kinds}
    moved = jitter_observations(batch, bins=2, vocabulary=tiny.VOCABULARY, key=jax.random.key(0))["tokens"]
    ranges = [(int(column.min()), int(column.max())) for column in (moved - tokens).T]
    assert ranges == [(0, 2), (-2, 0), (-2, 2), (0, 0), (0, 0)]
    assert jitter_observations(batch, bins=0, vocabulary=tiny.VOCABULARY, key=jax.random.key(0)) == batch


def test_config_refuses_negative_numbers():
    with pytest.raises(ValueError, match=r"loss\.soft_target_sigma must not be negative, found -1"):
        LossConfig(soft_target_sigma=-1)
