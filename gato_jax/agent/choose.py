"""Choosing one token among the legal ids of its place: greedy, the mean, or drawn, by temperature, top-k and top-p.

Dimensions: N environments, A action places, R ids from the lowest legal one of any place to the highest.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from data_pipelines.tokenizers.layout import TimestepLayout
from gato_jax.config import Decode, Sampling


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a compiled call is made for.

    Args:
      low, high: ids [low, high) whose scores are computed.
      vocabulary: rows of the token table, by which draws are counted: the same seed draws the same as it always did.
      decode: how tokens are chosen.
      truncated: whether `top_k` and `top_p` say anything.
    """

    low: int
    high: int
    vocabulary: int
    decode: Decode
    truncated: bool

    @classmethod
    def of(cls, layout: TimestepLayout, decode: Decode, sampling: Sampling) -> "Rule":
        """The rule of a task."""
        low, high = int(layout.action_low.min()), int(layout.action_high.max())
        return cls(low, high, layout.tokens.vocabulary.padded_size, decode, sampling.truncates)


class Legal(NamedTuple):
    """Legal ids [low, high) of each place, and what draws among them follow."""

    low: Int[Array, " actions"]
    high: Int[Array, " actions"]
    temperature: Float[Array, ""]
    top_k: Int[Array, ""]
    top_p: Float[Array, ""]

    @classmethod
    def of(cls, layout: TimestepLayout, sampling: Sampling) -> "Legal":
        """Those of a task, in NumPy."""
        top_k = sampling.top_k or np.iinfo(np.int32).max
        numbers = np.float32(sampling.temperature), np.int32(top_k), np.float32(sampling.top_p)
        return cls(layout.action_low, layout.action_high, *numbers)  # type: ignore[arg-type]


def row_keys(seeds: Int[Array, " envs"], steps: Int[Array, " envs"]) -> Array:
    """A key for each row that depends on its seed and its step only, so a batch acts as its rows do alone."""
    return jax.vmap(lambda seed, step: jax.random.fold_in(jax.random.key(seed), step))(seeds, steps)


def choose(
    logits: Float[Array, "envs ids"], place: Int[Array, ""], legal: Legal, keys: Array, rule: Rule
) -> tuple[Int[Array, " envs"], Bool[Array, " envs"]]:
    """A token for each row, and whether the scores of all legal ids are finite.

    Args:
      logits: of the ids from `rule.low` on.
      place: of the action, from 0.
      keys: of the rows.
    """
    ids = rule.low + jnp.arange(logits.shape[-1], dtype=jnp.int32)[None]
    allowed = (ids >= legal.low[place]) & (ids < legal.high[place])
    finite = (jnp.isfinite(logits) | ~allowed).all(axis=-1)
    logits = jnp.where(allowed, logits, -jnp.inf)
    if rule.decode is Decode.ARGMAX:
        return rule.low + jnp.argmax(logits, axis=-1).astype(jnp.int32), finite
    if rule.decode is Decode.MEAN:
        mean = (jax.nn.softmax(logits.astype(jnp.float32)) * ids).sum(axis=-1)
        return jnp.round(mean).astype(jnp.int32), finite
    logits = logits / legal.temperature
    if rule.truncated:
        logits = jnp.where(logits >= _lowest_kept(logits, legal)[:, None], logits, -jnp.inf)
    # Draws are of the whole table, of which the legal ids take theirs.
    draw = lambda key: jax.random.gumbel(jax.random.fold_in(key, place), (rule.vocabulary,))  # noqa: E731
    noise = jax.vmap(draw)(keys)[:, rule.low : rule.high]
    return rule.low + jnp.argmax(logits + noise, axis=-1).astype(jnp.int32), finite


def _lowest_kept(logits: Float[Array, "envs ids"], legal: Legal) -> Float[Array, " envs"]:
    """The lowest score that both top-k and top-p keep; the best one is always kept."""
    ordered = jnp.flip(jnp.sort(logits, axis=-1), axis=-1)
    shares = jax.nn.softmax(ordered, axis=-1)
    above = jnp.cumsum(shares, axis=-1) - shares
    rank = jnp.arange(logits.shape[-1], dtype=jnp.int32)[None]
    kept = (rank < legal.top_k) & (above < legal.top_p)
    return jnp.where(kept | (rank == 0), ordered, jnp.inf).min(axis=-1)
