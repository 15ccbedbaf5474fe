"""The decoder: pre-norm blocks of attention and GEGLU, without biases (Gato, appendix C.1)."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float, Int

from gato_jax import sharding
from gato_jax.config import Execution, Gradients, ModelConfig, Norm, Positions, Remat
from gato_jax.model.attention import (
    Places,
    attention,
    distance_table,
    merge_heads,
    relative_scores,
    rotate,
    split_heads,
)
from gato_jax.model.parameters import constant, fan_in, parameter


class KeyValues(NamedTuple):
    """Keys and values of one block, [rows, heads, places, head size]."""

    keys: Float[Array, "rows heads places size"]
    values: Float[Array, "rows heads places size"]


class Noise(NamedTuple):
    """Randomness of training, of all layers or of one. None is evaluation."""

    kept: list[Float[Array, "*layers 2 rows"]] | None
    """Stochastic depth: for each group, the factor of each row's attention and feed-forward."""
    key: Array | None
    """Dropout."""

    def layer(self, index: Any) -> "Noise":
        return jax.tree.map(lambda leaf: leaf[index], self)


QUIET = Noise(None, None)

SAVED = {
    Remat.FULL: (),
    Remat.NAMES: ("qkv", "attn", "wo", "mlp", "wd"),
    Remat.ATTENTION: ("qkv", "attn"),
}
"""Names of `checkpoint_name` that each policy keeps. "attn" is attention's output, in a kernel its sums too."""


class PreNorm(nnx.Module):
    """Layer or RMS normalisation of the last axis in float32, with a scale."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.centred = config.norm is Norm.LAYER
        self.scale = parameter(rngs, (config.width,), ("norm",), constant(1.0))

    def __call__(self, x: Float[Array, "tokens width"]) -> Float[Array, "tokens width"]:
        y = x.astype(jnp.float32)
        if self.centred:
            y = y - y.mean(-1, keepdims=True)
        y = y * jax.lax.rsqrt(jnp.square(y).mean(-1, keepdims=True) + 1e-6)
        return (y * self.scale[...][None]).astype(x.dtype)


class Attention(nnx.Module):
    """Projections around `attention()`, and this layer's share of the position scheme."""

    def __init__(self, config: ModelConfig, execution: Execution, *, rngs: nnx.Rngs):
        self.heads, self.size, self.positions = config.heads, config.head_size, config.positions
        self.kernel, self.bf16_probabilities = execution.attention, execution.bf16_probabilities
        inner = config.heads * config.head_size
        project = lambda: parameter(rngs, (config.width, inner), ("embed", "heads"), fan_in())  # noqa: E731
        self.query, self.key, self.value = project(), project(), project()
        out = fan_in(gain=1 / math.sqrt(2 * config.layers))
        self.out = parameter(rngs, (inner, config.width), ("heads_in", "embed_whole"), out)
        if self.positions is Positions.TRANSFORMER_XL:
            self.relative = project()
            self.content_bias = parameter(rngs, (inner,), ("heads",), constant(0.0))
            self.position_bias = parameter(rngs, (inner,), ("heads",), constant(0.0))

    def split(self, x: Float[Array, "tokens inner"], rows: int) -> Float[Array, "rows heads places size"]:
        return sharding.constrain(split_heads(x, rows, self.heads, kernel=self.kernel), "batch", "heads", None, None)

    def key_values(self, x: Float[Array, "tokens width"], places: Sequence[Places]) -> list[KeyValues]:
        """Keys and values of places `places.query_*`: what a cache stores."""
        found = []
        keys, values = (x @ weights[...] for weights in (self.key, self.value))
        pieces = zip(_split(keys, places), _split(values, places), places, strict=True)
        for keys, values, group in pieces:
            keys = self.split(keys, group.rows)
            if self.positions is Positions.ROTARY:
                keys = rotate(keys, group.query_positions)
            values = self.split(values, group.rows)
            found.append(KeyValues(checkpoint_name(keys, "qkv"), checkpoint_name(values, "qkv")))
        return found

    def __call__(
        self, x: Float[Array, "queries width"], memory: Sequence[KeyValues], places: Sequence[Places], *, square: bool
    ) -> Float[Array, "queries width"]:
        """`square`: the queries are all the places of the keys, in order."""
        pieces = zip(_split(x @ self.query[...], places), memory, places, strict=True)
        mixed = [self._mix(flat, known, group, square) for flat, known, group in pieces]
        return checkpoint_name(jnp.concatenate(mixed) @ self.out[...], "wo")

    def _mix(self, flat: Array, memory: KeyValues, places: Places, square: bool) -> Array:
        """One group's attention, flat queries in, flat heads out."""
        relative = None
        if self.positions is Positions.TRANSFORMER_XL:
            projection = self.relative[...]
            table = distance_table(places.keys, projection.shape[0]).astype(flat.dtype) @ projection
            distances = table.reshape(-1, self.heads, self.size).transpose(1, 0, 2)
            biased = self.split(flat + self.position_bias[...][None], places.rows)
            relative = relative_scores(biased, distances, places, square=square)
            flat = flat + self.content_bias[...][None]
        query = self.split(flat, places.rows)
        if self.positions is Positions.ROTARY:
            query = rotate(query, places.query_positions)
        mixed = attention(
            checkpoint_name(query, "qkv"),
            memory.keys,
            memory.values,
            places,
            relative=relative,
            square=square,
            kernel=self.kernel,
            bf16_probabilities=self.bf16_probabilities,
        )
        return merge_heads(checkpoint_name(mixed, "attn"), kernel=self.kernel)


class GatedFeedForward(nnx.Module):
    """GEGLU: (gelu(x G) * x V) O (Shazeer 2020)."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        width, inner = config.width, config.gate_width
        self.gate = parameter(rngs, (width, inner), ("embed", "mlp"), fan_in())
        self.value = parameter(rngs, (width, inner), ("embed", "mlp"), fan_in())
        out = fan_in(gain=1 / math.sqrt(2 * config.layers))
        self.out = parameter(rngs, (inner, width), ("mlp_in", "embed_whole"), out)

    def __call__(self, x: Float[Array, "tokens width"]) -> Float[Array, "tokens width"]:
        gate, value = (checkpoint_name(x @ weights[...], "mlp") for weights in (self.gate, self.value))
        hidden = sharding.constrain(jax.nn.gelu(gate) * value, "tokens", "mlp")
        return checkpoint_name(hidden @ self.out[...], "wd")


class Block(nnx.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x)).

    Activations are [tokens, width]: the places of one or more row groups behind each other. Only attention tells the
    groups apart; all else is one big multiplication, which is faster and compiles faster than one for each group.
    """

    def __init__(self, config: ModelConfig, execution: Execution, *, rngs: nnx.Rngs):
        self.tokens = "split_tokens" if execution.sequence_parallel else "tokens"
        self.dropout = config.dropout
        self.attention_norm = PreNorm(config, rngs=rngs)
        self.attention = Attention(config, execution, rngs=rngs)
        self.feed_forward_norm = PreNorm(config, rngs=rngs)
        self.feed_forward = GatedFeedForward(config, rngs=rngs)

    def __call__(
        self,
        x: Float[Array, "tokens width"],
        places: Sequence[Places],
        *,
        chosen: Sequence[Int[Array, "rows chosen"]] | None = None,
        noise: Noise = QUIET,
    ) -> Float[Array, "queries width"]:
        """Keys and values at every place; output at every place, or only at the `chosen` ones of each row.

        Args:
          chosen: for each group, indices of places.
          noise: of this layer.
        """
        normed = sharding.constrain(self.attention_norm(x), "tokens", "embed")
        memory = self.attention.key_values(normed, places)
        if chosen is not None:
            x, normed = (_take(y, places, chosen) for y in (x, normed))
            places = [group.select(some) for group, some in zip(places, chosen, strict=True)]
        return self._finish(x, normed, memory, places, square=chosen is None, noise=noise)

    def extend(
        self, x: Float[Array, "tokens width"], cache: KeyValues, start: Int[Array, ""], places: Places
    ) -> tuple[Float[Array, "tokens width"], KeyValues]:
        """Writes the keys and values of these places into `cache` from `start` on, then attends to all of it."""
        normed = self.attention_norm(x)
        (new,) = self.attention.key_values(normed, [places])
        write = lambda old, part: jax.lax.dynamic_update_slice(old, part.astype(old.dtype), (0, 0, start, 0))  # noqa: E731
        cache = KeyValues(write(cache.keys, new.keys), write(cache.values, new.values))
        return self._finish(x, normed, [cache], [places], square=False, noise=QUIET), cache

    def _finish(
        self,
        x: Array,
        normed: Array,
        memory: Sequence[KeyValues],
        places: Sequence[Places],
        *,
        square: bool,
        noise: Noise,
    ) -> Array:
        first, second = (None, None) if noise.key is None or not self.dropout else jax.random.split(noise.key)
        update = _dropout(self.attention(normed, memory, places, square=square), self.dropout, first)
        x = sharding.constrain(x + _drop(update, places, noise.kept, 0), self.tokens, "embed")
        normed = sharding.constrain(self.feed_forward_norm(x), "tokens", "embed")
        update = _dropout(self.feed_forward(normed), self.dropout, second)
        return sharding.constrain(x + _drop(update, places, noise.kept, 1), self.tokens, "embed")


def _dropout(x: Array, share: float, key: Array | None) -> Array:
    if key is None:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - share, x.shape), x / (1 - share), 0).astype(x.dtype)


def _drop(update: Array, places: Sequence[Places], kept: Sequence[Float[Array, "2 rows"]] | None, which: int) -> Array:
    """Stochastic depth: rows whose entry is 0 lose the whole update."""
    if kept is None:
        return update
    scale = jnp.concatenate([jnp.repeat(one[which], group.queries) for one, group in zip(kept, places, strict=True)])
    return update * scale[:, None].astype(update.dtype)


def _split(x: Float[Array, "tokens width"], places: Sequence[Places]) -> list[Float[Array, "some width"]]:
    """The tokens of each group."""
    return jnp.split(x, np.cumsum([group.rows * group.queries for group in places])[:-1])


def _take(
    x: Float[Array, "tokens width"], places: Sequence[Places], chosen: Sequence[Int[Array, "rows chosen"]]
) -> Float[Array, "queries width"]:
    """The tokens at these places of each row."""
    parts = []
    for piece, group, some in zip(_split(x, places), places, chosen, strict=True):
        folded = piece.reshape(group.rows, group.queries, -1)
        parts.append(jnp.take_along_axis(folded, some[:, :, None], axis=1).reshape(some.size, -1))
    return jnp.concatenate(parts)


class Transformer(nnx.Module):
    """All blocks and the last norm. Unrolled, or one block scanned over stacked weights; the same values either way."""

    def __init__(self, config: ModelConfig, execution: Execution, *, rngs: nnx.Rngs):
        self.layers, self.scanned = config.layers, config.scan_layers
        self.remat = Remat.FULL if config.remat and execution.remat is Remat.NONE else execution.remat
        self.scatter = execution.gradients is Gradients.SCATTER
        self.stochastic_depth, self.dropout = config.stochastic_depth, config.dropout
        # Drawn as one stack: the random generator compiles once for all layers.
        make = nnx.vmap(lambda key: Block(config, execution, rngs=nnx.Rngs(key)), in_axes=0, out_axes=0)
        stack = make(jax.random.split(rngs.params(), config.layers))
        if self.scanned:
            self.stack = stack
        else:
            self.blocks = nnx.Dict({_name(layer): _layer(stack, layer) for layer in range(config.layers)})
        self.norm = PreNorm(config, rngs=rngs)

    def layer(self, layer: int) -> Block:
        """One layer, as its weights rest."""
        return _layer(self.stack, layer) if self.scanned else self.blocks[_name(layer)]

    def __call__(
        self,
        x: Float[Array, "tokens width"],
        places: Sequence[Places],
        *,
        chosen: Sequence[Int[Array, "rows chosen"]] | None = None,
        keys: Sequence[Array] | None = None,
        whole: "Transformer | None" = None,
    ) -> Float[Array, "queries width"]:
        """Normed output of the last block at every place, or at the `chosen` places of each row.

        The last block computes keys and values everywhere but queries and feed-forward only where chosen: exact, and
        most of a layer saved where few places carry loss.

        Args:
          places: one entry for each row group whose tokens stand behind each other in `x`.
          chosen: for each group, indices of places.
          keys: for each group, training randomness; None is evaluation.
          whole: under `Gather.STEP`, this transformer with gathered weights.
        """
        noise = self._noise(places, keys)
        body = self.layers - 1 if chosen is not None else self.layers
        if self.scanned:
            x = self._scan(x, places, body, noise, whole)
        else:
            for layer in range(body):
                x = self._run(layer, x, places, noise, whole)
        if chosen is not None:
            x = self._run(self.layers - 1, x, places, noise, whole, chosen=chosen)
        return self.norm(x)

    def _noise(self, places: Sequence[Places], keys: Sequence[Array] | None) -> Noise:
        """Per group, the factor [layers, 2, rows] of each row's updates: 0 where skipped, else 1 / kept share."""
        if keys is None:
            return QUIET
        kept = None
        if self.stochastic_depth:
            share = 1 - self.stochastic_depth
            draw = lambda key, rows: jax.random.bernoulli(key, share, (self.layers, 2, rows)) / share  # noqa: E731
            kept = [draw(key, group.rows) for key, group in zip(keys, places, strict=True)]
        return Noise(kept, jax.random.split(jax.random.fold_in(keys[0], 1), self.layers) if self.dropout else None)

    def _run(self, layer: int, x: Array, places: Sequence[Places], noise: Noise, whole: Any, **options: Any) -> Array:
        weights = (self.layer(layer), None if whole is None else whole.layer(layer))
        graph, state = nnx.split(weights)
        return self._apply(graph, places, **options)(state, x, noise.layer(layer))

    def _scan(self, x: Array, places: Sequence[Places], body: int, noise: Noise, whole: Any) -> Array:
        graph, state = nnx.split((self.stack, None if whole is None else whole.stack))
        apply = self._apply(graph, places, looped=True)
        rest = jax.tree.map(lambda leaf: leaf[:body], (state, noise)) if body < self.layers else (state, noise)
        return jax.lax.scan(lambda y, one: (apply(one[0], y, one[1]), None), x, rest)[0]

    def _apply(
        self, graph: Any, places: Sequence[Places], *, looped: bool = False, **options: Any
    ) -> Callable[[Any, Array, Noise], Array]:
        """(weights of a layer, x, its noise) -> x. Gathering is inside what is computed again: whole weights of all
        layers are never kept, unless they were gathered before."""

        def run(state: Any, x: Array, noise: Noise) -> Array:
            block, whole = nnx.merge(graph, state)
            block = sharding.for_compute(block, whole, scatter=self.scatter)
            return block(x, places, noise=noise, **options)

        if self.remat is Remat.NONE:
            return run
        # A loop needs no barriers between its two passes, and they would copy every weight out of the stack.
        policy = jax.checkpoint_policies.save_only_these_names(*SAVED[self.remat])
        return jax.checkpoint(run, policy=policy, prevent_cse=not looped)


def _layer(stack: Block, layer: int) -> Block:
    graph, state = nnx.split(stack)
    return nnx.merge(graph, jax.tree.map(lambda leaf: leaf[layer], state))


def _name(layer: int) -> str:
    return f"layer_{layer:02d}"
