"""How a parameter is born: its initial values and the logical names of its axes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from gato_jax.sharding import LOGICAL_AXES

Initializer = Callable[[jax.Array, Sequence[int]], jax.Array]


def normal(deviation: float) -> Initializer:
    """Normal with this standard deviation, cut at two of them."""
    # The constant restores the deviation that the cut takes away.
    return lambda key, shape: deviation / 0.87962566 * jax.random.truncated_normal(key, -2.0, 2.0, tuple(shape))


def fan_in(*, contracted: int = 1, gain: float = 1.0) -> Initializer:
    """Normal with variance gain^2 / fan-in, where the first `contracted` axes are summed over."""
    return lambda key, shape: normal(gain / math.sqrt(math.prod(shape[:contracted])))(key, shape)


def constant(value: float) -> Initializer:
    """The same value everywhere."""
    return lambda key, shape: jnp.full(tuple(shape), value, jnp.float32)


def parameter(rngs: nnx.Rngs, shape: Sequence[int], axes: Sequence[str | None], initializer: Initializer) -> nnx.Param:
    """A float32 `nnx.Param` that carries its logical axes.

    The metadata name is our own: Flax's went through three names in two years, and silently ignores the old ones.
    """
    if len(shape) != len(axes):
        raise ValueError(f"shape {tuple(shape)} and logical axes {tuple(axes)} differ in length")
    metadata: dict[str, Any] = {LOGICAL_AXES: tuple(axes)}
    return nnx.Param(initializer(rngs.params(), shape), **metadata)
