"""AdamW with linear warm-up and cosine decay (Gato, appendix C)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from data_pipelines.words import counted
from gato_jax.config import Decayed, OptimizerConfig
from gato_jax.model.positions import SCHEMES

VECTORS = {"scale", "bias", *(name for scheme in SCHEMES.values() for name in scheme.vectors)}
TABLES = {
    "tokens",
    "bins",
    "local",
    "rows",
    "columns",
    *(name for scheme in SCHEMES.values() for name in scheme.tables),
}
"""Names of parameters: stacked (scanned) layers add an axis, so "is it a vector?" is asked of the name."""


def make_schedule(config: OptimizerConfig) -> Callable[[Array, Array], Float[Array, ""]]:
    """(step, steps of the run) -> learning rate.

    A run shorter than its warm-up stays on the linear part: its early steps equal those of a longer run.
    """
    peak, floor = config.learning_rate, config.learning_rate * config.final_ratio

    def schedule(step: Array, steps: Array) -> Array:
        step = jnp.asarray(step, jnp.float32)
        rest = jnp.maximum(jnp.asarray(steps, jnp.float32) - config.warmup_steps, 1)
        decay = rest if config.decay_steps is None else config.decay_steps
        rise = config.warmup_from + (peak - config.warmup_from) * step / max(config.warmup_steps, 1)
        progress = jnp.clip((step - config.warmup_steps) / decay, 0, 1)
        fall = floor + (peak - floor) * 0.5 * (1 + jnp.cos(jnp.pi * progress))
        return jnp.where(step < config.warmup_steps, rise, fall)

    return schedule


def learning_rate_at(config: OptimizerConfig, step: int, steps: int) -> float:
    """Of step `step` in a run of `steps`."""
    return float(make_schedule(config)(jnp.asarray(step), jnp.asarray(steps)))


def schedule_warning(config: OptimizerConfig, steps: int) -> str | None:
    """What of the schedule lies behind the end of a run of `steps` steps; None where nothing does."""
    last, floor = learning_rate_at(config, steps - 1, steps), config.learning_rate * config.final_ratio
    if config.warmup_steps >= steps:
        return (
            f"warning: optimizer.warmup_steps {config.warmup_steps:,} is not over at the end of the run "
            f"({counted(steps, 'step')}): the learning rate only rises to {last:.2g} of {config.learning_rate:.2g}; "
            f"such as --optimizer.warmup-steps {steps // 10} would let it train"
        )
    end = config.warmup_steps + (config.decay_steps or 0)
    if end > steps:
        return (
            f"warning: optimizer.warmup_steps {config.warmup_steps:,} and optimizer.decay_steps "
            f"{config.decay_steps:,} end at step {end:,}, behind the end of the run ({counted(steps, 'step')}): the "
            f"learning rate ends at {last:.2g} instead of {floor:.2g}; decay_steps None fits it to the run"
        )
    return None


def length_change(config: OptimizerConfig, *, step: int, before: int, after: int) -> str:
    """What a new length of the run means for the learning rate at `step`, where it goes on."""
    text = f"the run's length changes from {before:,} to {counted(after, 'step')}"
    old, new = (learning_rate_at(config, step, steps) for steps in (before, after))
    if old == new:
        return f"{text}; the learning rate goes on at {new:.3g}"
    return (
        f"{text}: its cosine is stretched over the new length, so at step {step:,} the learning rate jumps from "
        f"{old:.3g} to {new:.3g}. To warm up again instead, begin a run of its own with --init-from"
    )


def make_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Gradients -> directions, to be multiplied by minus the learning rate.

    Its state holds two copies of the parameters, and a counter.
    """

    def decayed(parameters):
        def one(path, leaf):
            names = [str(getattr(part, "key", part)) for part in path]
            vector = names[-1] in VECTORS
            table = names[0] == "embedding" and names[-1] in TABLES
            if config.decayed is Decayed.ALL:
                return True
            return not vector and not (table and config.decayed is Decayed.MATRICES_WITHOUT_TABLES)

        return jax.tree_util.tree_map_with_path(one, parameters)

    parts = [] if config.clip is None else [optax.clip_by_global_norm(config.clip)]
    parts.append(optax.scale_by_adam(b1=config.b1, b2=config.b2, eps=config.epsilon))
    if config.weight_decay:
        parts.append(optax.add_decayed_weights(config.weight_decay, mask=decayed))
    return optax.chain(*parts)
