"""The schedule, its short runs, and what weight decay touches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gato_jax.config import Decayed, OptimizerConfig
from gato_jax.model.gato import init_parameters
from gato_jax.training.step.optimizer import length_change, make_optimizer, make_schedule, schedule_warning


def rates(config, run, steps):
    schedule = make_schedule(config)
    return [float(schedule(jnp.asarray(step), jnp.asarray(run))) for step in steps]


def test_papers_schedule():
    config = OptimizerConfig(learning_rate=1e-4, warmup_steps=15_000, decay_steps=1_000_000)
    learning_rates = rates(config, 1_015_000, [0, 7_500, 15_000, 515_000, 1_015_000, 2_000_000])
    np.testing.assert_allclose(learning_rates, [1e-7, 5.005e-5, 1e-4, 5.5e-5, 1e-5, 1e-5], rtol=1e-4)


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


@pytest.mark.parametrize(
    ("changes", "steps", "message"),
    [
        ({"warmup_steps": 15_000}, 200, "warmup_steps 15,000 is not over at the end of the run (200 steps): "
                                        "the learning rate only rises to 1.4e-06 of 0.0001; such as "
                                        "--optimizer.warmup-steps 20 "),
        ({"warmup_steps": 30}, 30, "the end of the run (30 steps)"),
        ({"warmup_steps": 1}, 1, "the end of the run (1 step)"),
        ({"warmup_steps": 10, "decay_steps": 100}, 60, "end at step 110, behind the end of the run (60 steps): the "
                                                       "learning rate ends at 5.6e-05 instead of 1e-05"),
    ],
)  # fmt: skip
def test_a_schedule_longer_than_its_run_is_said(changes, steps, message):
    warning = schedule_warning(OptimizerConfig(**changes), steps)
    assert warning is not None
    assert message in warning


@pytest.mark.parametrize(
    ("changes", "steps"),
    [({"warmup_steps": 29}, 30), ({"warmup_steps": 0}, 1), ({"warmup_steps": 10, "decay_steps": 50}, 60)],
)
def test_a_schedule_that_fits_is_not(changes, steps):
    assert schedule_warning(OptimizerConfig(**changes), steps) is None


def test_another_length_says_what_becomes_of_the_rate():
    """Past the warm-up the cosine is stretched; one of a length of its own, and a warm-up, do not care."""
    stretched = OptimizerConfig(learning_rate=1.0, warmup_steps=10)
    text = length_change(stretched, step=30, before=30, after=60)
    assert f"at step 30 the learning rate jumps from 0.1 to {rates(stretched, 60, [30])[0]:.3g}" in text
    own = OptimizerConfig(learning_rate=1.0, warmup_steps=10, decay_steps=20)
    assert length_change(own, step=30, before=30, after=60).endswith("to 60 steps; the learning rate goes on at 0.1")
    assert "goes on at 0.5" in length_change(stretched, step=5, before=30, after=60)


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
        ({"decay_steps": 0}, r"optimizer\.decay_steps must be positive, or None, found 0"),
        ({"clip": -1.0}, r"optimizer\.clip must be positive, or None, found -1\.0"),
        ({"b2": 1.5}, r"optimizer\.b2 must be in \[0, 1\], found 1\.5"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        OptimizerConfig(**changes)
