"""The schedule, its short runs, and what weight decay touches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gato_jax.config import Decayed, OptimizerConfig
from gato_jax.model.gato import init_parameters
from gato_jax.training.step.optimizer import make_optimizer, make_schedule


def rates(config, run, steps):
    schedule = make_schedule(config)
    return [float(schedule(jnp.asarray(step), jnp.asarray(run))) for step in steps]


def test_papers_schedule():
    config = OptimizerConfig(learning_rate=1e-4, warmup_steps=15_000, decay_steps=1_000_000)
    found = rates(config, 1_015_000, [0, 7_500, 15_000, 515_000, 1_015_000, 2_000_000])
    np.testing.assert_allclose(found, [1e-7, 5.005e-5, 1e-4, 5.5e-5, 1e-5, 1e-5], rtol=1e-4)


def test_decay_fills_the_run():
    config = OptimizerConfig(learning_rate=1.0, warmup_steps=10, final_ratio=0.1)
    np.testing.assert_allclose(rates(config, 110, [10, 60, 110]), [1.0, 0.55, 0.1], rtol=1e-5)


@pytest.mark.parametrize("run", [1, 10, 60])
def test_runs_shorter_than_the_warm_up(run):
    """optax's warmup_cosine raises here: its decay has no steps left."""
    config = OptimizerConfig(learning_rate=1.0, warmup_steps=60, warmup_from=0.0)
    np.testing.assert_allclose(rates(config, run, range(run)), np.arange(run) / 60, rtol=1e-6)


def test_no_warm_up():
    assert rates(OptimizerConfig(learning_rate=0.5, warmup_steps=0), 10, [0]) == [0.5]


@pytest.mark.parametrize("scan", [False, True])
def test_decay_mask(tiny, scan):
    config = tiny.tiny_model(scan_layers=scan)
    parameters = init_parameters(config, tiny.VOCABULARY, key=jax.random.key(0))
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    moved = {}
    for decayed in Decayed:
        optimizer = make_optimizer(OptimizerConfig(weight_decay=0.1, decayed=decayed))
        updates, _ = optimizer.update(zeros, optimizer.init(parameters), parameters)
        paths = jax.tree_util.tree_flatten_with_path(updates)[0]
        moved[decayed] = {
            jax.tree_util.keystr(path, simple=True, separator="/") for path, leaf in paths if (leaf != 0).any()
        }
    everywhere = moved[Decayed.MATRICES]
    assert "embedding/tokens" in everywhere
    assert not any(name.endswith(("scale", "bias")) for name in everywhere)
    assert "embedding/tokens" not in moved[Decayed.MATRICES_WITHOUT_TABLES]
    assert any(name.endswith("scale") for name in moved[Decayed.ALL])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0}, r"optimizer\.learning_rate must be positive, found 0"),
        ({"decay_steps": 0}, r"optimizer\.decay_steps must be positive, or None for the rest, found 0"),
        ({"clip": -1.0}, r"optimizer\.clip must be positive, or None for no clipping, found -1\.0"),
        ({"b2": 1.5}, r"optimizer\.b2 must be in \[0, 1\], found 1\.5"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        OptimizerConfig(**changes)
