"""Next-token loss on text and actions (Gato, section 2.3), with soft targets and observation jitter by option."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from data_pipelines.vocabulary import BINS, TokenType, Vocabulary


def negative_log_likelihood(
    logits: Float[Array, "targets vocab"],
    targets: Int[Array, "targets"],
    token_type: Int[Array, "targets"],
    *,
    vocabulary: Vocabulary,
    sigma: float = 0.0,
) -> Float[Array, "targets"]:
    """Cross-entropy of each place, in nats.

    With `sigma` > 0, targets that are continuous actions become Gaussians over the bins, renormalised at the ends of
    the range; their loss has a floor, the entropy of the Gaussian.
    """
    logits = logits.astype(jnp.float32)
    ids = jnp.arange(logits.shape[-1], dtype=targets.dtype)
    # A comparison instead of a gather: its gradient fuses with the softmax's, a scatter would not.
    expected = jnp.sum(jnp.where(ids[None] == targets[:, None], logits, 0), axis=-1)
    if sigma > 0:
        start = vocabulary.continuous_start
        bins = jnp.arange(BINS, dtype=jnp.float32)[None]
        centre = (targets - start).astype(jnp.float32)[:, None]
        weights = jax.nn.softmax(-jnp.square(bins - centre) / (2 * sigma**2), axis=-1)
        smooth = jnp.sum(weights * logits[:, start : start + BINS], axis=-1)
        is_soft = (token_type == TokenType.ACTION) & (targets >= start) & (targets < start + BINS)
        expected = jnp.where(is_soft, smooth, expected)
    return jax.nn.logsumexp(logits, axis=-1) - expected


def is_correct(logits: Float[Array, "targets vocab"], targets: Int[Array, "targets"]) -> Float[Array, "targets"]:
    """1 where no other id has a larger logit than the target, else 0; shares its two reductions with the loss."""
    logits = jax.lax.stop_gradient(logits)
    ids = jnp.arange(logits.shape[-1], dtype=targets.dtype)
    expected = jnp.sum(jnp.where(ids[None] == targets[:, None], logits, 0), axis=-1)
    return (expected >= logits.max(axis=-1)).astype(jnp.float32)


def jitter_observations(
    batch: Mapping[str, Array], *, bins: int, vocabulary: Vocabulary, key: Array
) -> dict[str, Array]:
    """The batch with its continuous observation tokens moved by -bins..bins, clipped to the continuous range."""
    if not bins:
        return dict(batch)
    tokens, start = batch["tokens"], vocabulary.continuous_start
    is_continuous = (tokens >= start) & (tokens < start + BINS) & (batch["token_type"] == TokenType.OBSERVATION)
    moved = tokens + jax.random.randint(key, tokens.shape, -bins, bins + 1, tokens.dtype)
    return {**batch, "tokens": jnp.where(is_continuous, jnp.clip(moved, start, start + BINS - 1), tokens)}
