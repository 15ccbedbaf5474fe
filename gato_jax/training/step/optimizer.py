"""AdamW with linear warm-up and cosine decay (Gato, appendix C)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from gato_jax.config import Decayed, OptimizerConfig
from gato_jax.model.positions import SCHEMES

VECTORS = {"scale", "bias", *(name for scheme in SCHEMES.values() for name in scheme.vectors)}
TABLES = {"tokens", "local", "rows", "columns", *(name for scheme in SCHEMES.values() for name in scheme.tables)}
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
