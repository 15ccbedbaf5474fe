"""Stored values must be finite: a network with one NaN answers NaN only, and a greedy agent acts all the same."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

PIECE = 16 * 2**20
"""Values that are looked at together, so that the answers do not take as much room as a large array."""


def not_finite(array: np.ndarray) -> str | None:
    """What is wrong with the values of an array, None where nothing is."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return None
    flat = array.reshape(-1)
    bad = sum(int((~np.isfinite(flat[i : i + PIECE])).sum()) for i in range(0, flat.size, PIECE))
    return f"expected finite values, found {bad:,} of {flat.size:,} that are not" if bad else None


def leaves_not_finite(leaves: Mapping[str, Any]) -> list[str]:
    """Names of arrays on devices, whole or sharded over processes, with values that are not finite.

    All processes call it together, and get the same answer.
    """
    floats = {name: leaf for name, leaf in leaves.items() if jnp.issubdtype(leaf.dtype, jnp.floating)}
    are_finite = _are_finite(list(floats.values()))
    return [name for name, finite in zip(floats, are_finite, strict=True) if not finite]


@jax.jit
def _are_finite(leaves: list[jax.Array]) -> list[jax.Array]:
    return [jnp.isfinite(leaf).all() for leaf in leaves]
