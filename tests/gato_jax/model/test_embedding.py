"""Where patches stand, and what enters the decoder."""

import jax
import numpy as np
from flax import nnx

from data_pipelines.vocabulary import TokenType
from gato_jax.config import Positions
from gato_jax.model.embedding import GroupNorm, patch_places
from gato_jax.model.gato import bind, init_parameters


def test_evaluation_takes_the_rounded_mean():
    """The paper's figure: rows [32, 64] -> 48, columns [51, 77] -> 64."""
    interval = np.asarray([[32, 64, 51, 77], [0, 128, 128, 128]], np.int32)
    assert patch_places(interval, key=None).tolist() == [[48, 64], [64, 127]]


def test_training_samples_the_interval():
    interval = np.repeat(np.asarray([[32, 64, 102, 128]], np.int32), 2000, axis=0)
    rows, columns = np.asarray(patch_places(interval, key=jax.random.key(0))).T
    assert (rows.min(), rows.max()) == (32, 63)
    assert (columns.min(), columns.max()) == (102, 127)
    assert abs(np.mean(rows) - 47.5) < 1


def test_an_empty_interval_is_its_low_end():
    assert patch_places(np.asarray([[5, 5, 128, 128]], np.int32), key=jax.random.key(0)).tolist() == [[5, 127]]


def test_what_each_place_is_made_of(tiny):
    """Token + local position on observations, token alone on actions, patch + local position on patches."""
    config = tiny.tiny_model(positions=Positions.NONE)
    parameters = init_parameters(config, tiny.VOCABULARY, key=jax.random.key(0))
    embedding = bind(config, tiny.VOCABULARY, parameters).embedding
    group = tiny.GROUPS["images"]
    batch = group.zeros(1)
    batch["tokens"][0, 2:5] = (9, 10, 11)
    batch["token_type"][0, :5] = (
        TokenType.PATCH,
        TokenType.PADDING,
        TokenType.OBSERVATION,
        TokenType.ACTION,
        TokenType.TEXT,
    )
    batch["observation_position"][0, :3] = (1, 0, 2)
    batch["patch_slot"][0] = (0, group.length)  # the second patch is unused
    batch["patch_interval"][0] = (0, 64, 0, 64)
    batch["patches"][0] = 200
    x = np.asarray(embedding([batch], keys=[None]))
    table, local = (np.asarray(parameters["embedding"][name]) for name in ("tokens", "local"))
    patch = np.asarray(embedding.patches(batch["patches"][0], batch["patch_interval"][0], key=None))
    np.testing.assert_allclose(x[0], patch[0] + local[0], atol=1e-6)
    assert (x[1] == 0).all()
    np.testing.assert_allclose(x[2], table[9] + local[1], atol=1e-6)
    np.testing.assert_array_equal(x[3:5], table[[10, 11]])


def test_group_norm_by_its_definition():
    norm = GroupNorm(6, 3, rngs=nnx.Rngs(0))
    norm.scale[...] = np.arange(1, 7, dtype=np.float32)
    norm.bias[...] = np.arange(6, dtype=np.float32)
    x = np.random.default_rng(0).normal(3, 2, (2, 4, 4, 6)).astype(np.float32)
    grouped = x.reshape(2, 4, 4, 3, 2)
    mean, variance = (f(grouped, axis=(1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    expected = ((grouped - mean) / np.sqrt(variance + 1e-6)).reshape(x.shape) * np.arange(1, 7) + np.arange(6)
    np.testing.assert_allclose(norm(x), expected, rtol=1e-4, atol=1e-4)
