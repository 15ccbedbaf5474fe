"""How a parameter is born: its initial values and the logical names of its axes.

A matrix is a parameter of its module, not an nnx.Linear, nnx.Embed or nnx.Conv. These give bit-equal initial values and
outputs (`python -m benchmarks.nnx_layers`, 2026-11-27), but put each matrix one level deeper, as `query.kernel`, and
checkpoints and exports know it as `query`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
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
    """A float32 `nnx.Param` that carries its logical axes."""
    return _parameter(initializer(rngs.params(), shape), axes)


def zeros(shape: Sequence[int], axes: Sequence[str | None]) -> nnx.Param:
    """As `parameter`, all zeros. It draws no random number, so that those made after it do not change."""
    return _parameter(jnp.zeros(tuple(shape), jnp.float32), axes)


def _parameter(value: jax.Array, axes: Sequence[str | None]) -> nnx.Param:
    """The metadata name is our own: Flax's went through three names in two years, and silently ignores the old ones."""
    if value.ndim != len(axes):
        raise ValueError(f"shape {value.shape} and logical axes {tuple(axes)} differ in length")
    metadata: dict[str, Any] = {LOGICAL_AXES: tuple(axes)}
    return nnx.Param(value, **metadata)


def add_parameters(module: nnx.Module, parameters: Mapping[str, nnx.Param]) -> None:
    """Makes them attributes of a module."""
    for name, value in parameters.items():
        setattr(module, name, value)


def own_weights(module: nnx.Module, names: Sequence[str]) -> dict[str, Any]:
    """Arrays of a module's parameters, by name."""
    return {name: getattr(module, name)[...] for name in names}
