"""Attention: one function in front of a plain reference and the kernels.

Arrays are [rows, heads, places, head size] with rows and heads in front: explicit transposes to that layout are what
a CPU multiplies fastest.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Bool, Float

from gato_jax import sharding
from gato_jax.config import Kernel
from gato_jax.model import kernels
from gato_jax.model.places import Places

MASKED = -1e30
BLOCKS = 4
"""Blocks of queries of `Kernel.BLOCKS`."""

_SIZE = (((3,), (3,)), ((0, 1), (0, 1)))
_KEYS = (((3,), (2,)), ((0, 1), (0, 1)))
_QUERIES = (((2,), (2,)), ((0, 1), (0, 1)))
"""What `dot_general` sums over in [rows, heads, ...]."""


def attention(
    query: Float[Array, "rows heads queries size"],
    key: Float[Array, "rows heads keys size"],
    value: Float[Array, "rows heads keys size"],
    places: Places,
    *,
    added: Float[Array, "rows heads queries keys"] | None = None,
    kernel: Kernel = Kernel.REFERENCE,
    bf16_probabilities: bool = False,
) -> Float[Array, "rows heads queries size"]:
    """softmax(q k^T / sqrt(size) + added) v over the keys each query may see; sums in float32.

    Args:
      added: scores of the position scheme, already divided by sqrt(size).
      kernel: see `Kernel`; AUTO is the reference here, `kernels.choose` decides by the mesh. Kernels need square
        `places`; without, the reference runs.
      bf16_probabilities: see `Execution`.
    """
    # Scaling the query is cheaper than scaling the scores.
    query = query * jnp.asarray(1 / math.sqrt(query.shape[-1]), query.dtype)
    if not places.square or kernel in (Kernel.AUTO, Kernel.REFERENCE):
        return reference(query, key, value, places.visible(), added, bf16_probabilities)
    if kernel is Kernel.BLOCKS:
        if added is not None:
            return _blocks(query, key, value, places, added, bf16_probabilities)
        stored = jnp.bfloat16 if bf16_probabilities else jnp.float32
        return _causal_blocks(query, key, value, places.query_segments, places.key_segments, stored)
    if added is not None:
        raise ValueError(f"attention kernel {kernel.value} cannot add Transformer-XL's scores; use reference or blocks")
    return kernels.FUSED[kernel](query, key, value, places.query_segments, places.key_segments)


def reference(
    query: Float[Array, "rows heads queries size"],
    key: Float[Array, "rows heads keys size"],
    value: Float[Array, "rows heads keys size"],
    visible: Bool[Array, "rows queries keys"],
    added: Float[Array, "rows heads queries keys"] | None = None,
    bf16_probabilities: bool = False,
) -> Float[Array, "rows heads queries size"]:
    """What every kernel has to match; the query is scaled already."""
    contract_size = (((3,), (3,)), ((0, 1), (0, 1)))
    stored = jnp.bfloat16 if bf16_probabilities else jnp.float32
    scores = jax.lax.dot_general(query, key, contract_size, preferred_element_type=stored)
    if added is not None:
        scores = scores + added.astype(stored)
    scores = jnp.where(visible[:, None], scores, jnp.asarray(MASKED, stored))
    if not bf16_probabilities:
        weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
        return jax.lax.dot_general(weights, value, (((3,), (2,)), ((0, 1), (0, 1))))
    return jax.lax.dot_general(_bf16_softmax(scores).astype(value.dtype), value, (((3,), (2,)), ((0, 1), (0, 1))))


def over_parts(
    query: Float[Array, "rows heads queries size"],
    parts: Sequence[tuple[Array, Array]],
    visible: Bool[Array, "rows queries keys"],
    added: Float[Array, "rows heads queries keys"] | None = None,
) -> Float[Array, "rows heads queries size"]:
    """`reference` over keys and values that lie in several arrays: those of all parts, one behind the other."""
    query = query * jnp.asarray(1 / math.sqrt(query.shape[-1]), query.dtype)
    dot = functools.partial(jax.lax.dot_general, preferred_element_type=jnp.float32)
    scores = jnp.concatenate([dot(query, keys, _SIZE) for keys, _ in parts], axis=-1)
    if added is not None:
        scores = scores + added
    weights = jax.nn.softmax(jnp.where(visible[:, None], scores, MASKED), axis=-1)
    ends = np.cumsum([values.shape[2] for _, values in parts])[:-1]
    pairs = zip(jnp.split(weights, ends, axis=-1), parts, strict=True)
    mixed = [jax.lax.dot_general(some.astype(values.dtype), values, _KEYS) for some, (_, values) in pairs]
    return functools.reduce(jnp.add, mixed)


def _bf16_softmax(scores: Float[Array, "rows heads queries keys"]) -> Float[Array, "rows heads queries keys"]:
    """Every array as large as the scores is bfloat16; maxima and sums over keys are float32."""
    highest = jax.lax.stop_gradient(scores.max(-1, keepdims=True))
    raised = jnp.exp(scores - highest)
    total = raised.sum(-1, keepdims=True, dtype=jnp.float32)
    return raised * (1 / total).astype(raised.dtype)


def _blocks(query: Array, key: Array, value: Array, places: Places, added: Array, bf16_probabilities: bool) -> Array:
    """Queries in blocks, each over the keys up to the block's last place."""
    parts = []
    for start, end in block_ends(places.keys):
        visible = _visible(places.query_segments, places.key_segments, start, end)
        scores, rows = added[:, :, start:end, :end], query[:, :, start:end]
        parts.append(reference(rows, key[:, :, :end], value[:, :, :end], visible, scores, bf16_probabilities))
    return jnp.concatenate(parts, axis=2)


def block_ends(length: int) -> list[tuple[int, int]]:
    """First place of each block of queries, and the place after its last: 5/8 of all scores with four blocks."""
    count = BLOCKS if length >= 16 * BLOCKS else 1
    ends = [length * (block + 1) // count for block in range(count)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _visible(query_segments: Array, key_segments: Array, start: int, end: int) -> Bool[Array, "rows queries keys"]:
    """Which of the keys up to `end` the queries of a block see."""
    keys, index = key_segments[:, None, :end], jnp.arange(end, dtype=jnp.int32)
    causal = index[None, start:end, None] >= index[None, None]
    return (query_segments[:, start:end, None] == keys) & (keys > 0) & causal


def _block_scores(
    query: Array, key: Array, segments: tuple[Array, Array], start: int, end: int, stored: Any
) -> Float[Array, "rows heads queries keys"]:
    scores = jax.lax.dot_general(query[:, :, start:end], key[:, :, :end], _SIZE, preferred_element_type=stored)
    return jnp.where(_visible(*segments, start, end)[:, None], scores, jnp.asarray(MASKED, stored))


@functools.partial(jax.custom_vjp, nondiff_argnums=(5,))
def _causal_blocks(
    query: Array, key: Array, value: Array, query_segments: Array, key_segments: Array, stored: Any
) -> Array:
    """As `_blocks` without added scores, with the backward pass of flash attention (Dao et al. 2022).

    Of the scores only the logarithm of each query's sum is kept, so that the backward pass neither looks for maxima
    nor sums again. `stored` is the type of arrays as large as the scores.
    """
    return _blocks_forward(query, key, value, query_segments, key_segments, stored)[0]


def _blocks_forward(
    query: Array, key: Array, value: Array, query_segments: Array, key_segments: Array, stored: Any
) -> tuple[Array, tuple[Array, ...]]:
    mixed, sums = [], []
    for start, end in block_ends(key.shape[2]):
        scores = _block_scores(query, key, (query_segments, key_segments), start, end, stored)
        highest = scores.max(-1, keepdims=True).astype(jnp.float32)
        raised = jnp.exp(scores.astype(jnp.float32) - highest).astype(stored)
        total = raised.sum(-1, keepdims=True, dtype=jnp.float32)
        out = jax.lax.dot_general(
            raised.astype(value.dtype), value[:, :, :end], _KEYS, preferred_element_type=jnp.float32
        )
        mixed.append((out / total).astype(value.dtype))
        sums.append(highest + jnp.log(total))
    out, log_sums = jnp.concatenate(mixed, axis=2), jnp.concatenate(sums, axis=2)
    out, log_sums = checkpoint_name(out, "attn"), checkpoint_name(log_sums, "attn")
    return out, (query, key, value, query_segments, key_segments, out, log_sums)


def _blocks_backward(
    stored: Any, residuals: tuple[Array, ...], cotangent: Array
) -> tuple[Array, Array, Array, None, None]:
    query, key, value, query_segments, key_segments, out, log_sums = residuals
    inner = (cotangent.astype(jnp.float32) * out.astype(jnp.float32)).sum(-1, keepdims=True)
    d_query, d_key, d_value = [], jnp.zeros(key.shape, jnp.float32), jnp.zeros(value.shape, jnp.float32)
    dot = functools.partial(jax.lax.dot_general, preferred_element_type=jnp.float32)
    for start, end in block_ends(key.shape[2]):
        scores = _block_scores(query, key, (query_segments, key_segments), start, end, stored)
        weights = jnp.exp(scores.astype(jnp.float32) - log_sums[:, :, start:end]).astype(value.dtype)
        above = cotangent[:, :, start:end]
        slope = jax.lax.dot_general(above, value[:, :, :end], _SIZE, preferred_element_type=stored)
        change = weights.astype(jnp.float32) * (slope.astype(jnp.float32) - inner[:, :, start:end])
        change = change.astype(query.dtype)
        d_query.append(dot(change, key[:, :, :end], _KEYS).astype(query.dtype))
        rest = ((0, 0), (0, 0), (0, key.shape[2] - end), (0, 0))
        d_key += jnp.pad(dot(change, query[:, :, start:end], _QUERIES), rest)
        d_value += jnp.pad(dot(weights, above, _QUERIES), rest)
    return jnp.concatenate(d_query, axis=2), d_key.astype(key.dtype), d_value.astype(value.dtype), None, None


_causal_blocks.defvjp(_blocks_forward, _blocks_backward)


TILE = (8, 128)
"""What a TPU stores as one piece: places x values of a head."""


def split_heads(
    x: Float[Array, "tokens inner"], rows: int, heads: int, *, kernel: Kernel
) -> Float[Array, "rows heads places size"]:
    """The heads of each token behind each other -> heads in front of the places.

    On a TPU behind a barrier: merged with the multiplication before it, the compiler turns the matrix round instead, a
    copy of the weights in every layer and a gradient that is all-reduced instead of scattered. Before a fused kernel,
    which takes no other layout, it is spelled as a move of whole tiles: a plain transpose copies twice.
    """
    size, places = x.shape[1] // heads, x.shape[0] // rows
    if _by_tiles(kernel, places, size):
        tiles = x.reshape(rows, -1, TILE[0], heads, size).transpose(0, 1, 3, 2, 4)
        return jax.lax.optimization_barrier(tiles).transpose(0, 2, 1, 3, 4).reshape(rows, heads, places, size)
    x = jax.lax.optimization_barrier(x) if sharding.context_platform() == "tpu" else x
    return x.reshape(rows, places, heads, size).transpose(0, 2, 1, 3)


def merge_heads(x: Float[Array, "rows heads places size"], *, kernel: Kernel) -> Float[Array, "tokens inner"]:
    """The inverse of `split_heads`."""
    rows, heads, places, size = x.shape
    if _by_tiles(kernel, places, size):
        tiles = x.reshape(rows, heads, -1, TILE[0], size).transpose(0, 2, 1, 3, 4)
        return jax.lax.optimization_barrier(tiles).transpose(0, 1, 3, 2, 4).reshape(rows * places, heads * size)
    return x.transpose(0, 2, 1, 3).reshape(rows * places, heads * size)


def _by_tiles(kernel: Kernel, places: int, size: int) -> bool:
    return kernel is Kernel.SPLASH and places % TILE[0] == 0 and size % TILE[1] == 0
