"""AdamW with linear warm-up and cosine decay (Gato, appendix C)."""

import dataclasses
import enum
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float


class Decayed(enum.Enum):
    """Which parameters weight decay pulls to zero."""

    MATRICES = "matrices"
    """All but norm scales and biases."""
    MATRICES_WITHOUT_TABLES = "matrices_without_tables"
    """Also leaves embedding tables alone."""
    ALL = "all"


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its schedule.

    Args:
      learning_rate: peak, reached at the end of the warm-up. The paper's: 1e-4, 2e-4 (364M).
      warmup_steps: linear from `warmup_from` to the peak.
      warmup_from: learning rate of step 0.
      decay_steps: steps of the cosine after the warm-up; None = the rest of the run.
      final_ratio: learning rate at the end of the cosine, and after it, as a share of the peak.
      b1, b2, epsilon: Adam's.
      weight_decay: decoupled, times the learning rate.
      decayed: parameters that it acts on.
      clip: largest global norm of a gradient; None = no clipping (the paper mentions none).
    """

    learning_rate: float = 1e-4
    warmup_steps: int = 15_000
    warmup_from: float = 1e-7
    decay_steps: int | None = None
    final_ratio: float = 0.1
    b1: float = 0.9
    b2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    decayed: Decayed = Decayed.MATRICES
    clip: float | None = None

    def __post_init__(self):
        if self.learning_rate <= 0:
            raise ValueError(f"optimizer.learning_rate must be positive, found {self.learning_rate}")
        if self.warmup_steps < 0:
            raise ValueError(f"optimizer.warmup_steps must not be negative, found {self.warmup_steps}")
        if self.decay_steps is not None and self.decay_steps < 1:
            raise ValueError(f"optimizer.decay_steps must be positive, or None for the rest, found {self.decay_steps}")
        for name in ("b1", "b2", "final_ratio"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"optimizer.{name} must be in [0, 1], found {getattr(self, name)}")
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"optimizer.clip must be positive, or None for no clipping, found {self.clip}")


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
            # Stacked (scanned) layers add an axis, so "is it a vector?" is asked of the name.
            vector = names[-1] in ("scale", "bias", "content_bias", "position_bias")
            table = names[0] == "embedding" and names[-1] in ("tokens", "local", "positions", "rows", "columns")
            if config.decayed is Decayed.ALL:
                return True
            return not vector and not (table and config.decayed is Decayed.MATRICES_WITHOUT_TABLES)

        return jax.tree_util.tree_map_with_path(one, parameters)

    parts = [] if config.clip is None else [optax.clip_by_global_norm(config.clip)]
    parts.append(optax.scale_by_adam(b1=config.b1, b2=config.b2, eps=config.epsilon))
    if config.weight_decay:
        parts.append(optax.add_decayed_weights(config.weight_decay, mask=decayed))
    return optax.chain(*parts)
