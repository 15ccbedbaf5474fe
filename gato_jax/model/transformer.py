"""The decoder: pre-norm blocks of attention and GEGLU, without biases (Gato, appendix C.1)."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from gato_jax import sharding
from gato_jax.model.attention import Places, attention, distance_table, relative_scores, rotate
from gato_jax.model.config import ModelConfig, Norm, Positions
from gato_jax.model.parameters import constant, fan_in, parameter


class KeyValues(NamedTuple):
    """Keys and values of one block, [rows, heads, places, head size]."""

    keys: Float[Array, "rows heads places size"]
    values: Float[Array, "rows heads places size"]


class PreNorm(nnx.Module):
    """Layer or RMS normalisation of the last axis in float32, with a scale."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.centred = config.norm is Norm.LAYER
        self.scale = parameter(rngs, (config.width,), ("embed",), constant(1.0))

    def __call__(self, x: Float[Array, "tokens width"]) -> Float[Array, "tokens width"]:
        y = x.astype(jnp.float32)
        if self.centred:
            y = y - y.mean(-1, keepdims=True)
        y = y * jax.lax.rsqrt(jnp.square(y).mean(-1, keepdims=True) + 1e-6)
        return (y * self.scale[...][None]).astype(x.dtype)


class Attention(nnx.Module):
    """Projections around `attention()`, and this layer's share of the position scheme."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.heads, self.size, self.positions = config.heads, config.head_size, config.positions
        inner = config.heads * config.head_size
        project = lambda: parameter(rngs, (config.width, inner), ("embed", "heads"), fan_in())  # noqa: E731
        self.query, self.key, self.value = project(), project(), project()
        out = fan_in(gain=1 / math.sqrt(2 * config.layers))
        self.out = parameter(rngs, (inner, config.width), ("heads", "embed"), out)
        if self.positions is Positions.TRANSFORMER_XL:
            self.relative = project()
            self.content_bias = parameter(rngs, (inner,), ("heads",), constant(0.0))
            self.position_bias = parameter(rngs, (inner,), ("heads",), constant(0.0))

    def split(self, x: Float[Array, "tokens inner"], rows: int) -> Float[Array, "rows heads places size"]:
        heads = x.reshape(rows, -1, self.heads, self.size).transpose(0, 2, 1, 3)
        return sharding.constrain(heads, "batch", "heads", None, None)

    def key_values(self, x: Float[Array, "tokens width"], places: Sequence[Places]) -> list[KeyValues]:
        """Keys and values of places `places.query_*`: what a cache stores."""
        found = []
        pieces = zip(_split(x @ self.key[...], places), _split(x @ self.value[...], places), places, strict=True)
        for keys, values, group in pieces:
            keys = self.split(keys, group.rows)
            if self.positions is Positions.ROTARY:
                keys = rotate(keys, group.query_positions)
            found.append(KeyValues(keys, self.split(values, group.rows)))
        return found

    def __call__(
        self, x: Float[Array, "queries width"], memory: Sequence[KeyValues], places: Sequence[Places], *, square: bool
    ) -> Float[Array, "queries width"]:
        """`square`: the queries are all the places of the keys, in order."""
        pieces = zip(_split(x @ self.query[...], places), memory, places, strict=True)
        mixed = [self._mix(flat, known, group, square) for flat, known, group in pieces]
        return jnp.concatenate(mixed) @ self.out[...]

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
        mixed = attention(query, memory.keys, memory.values, places, relative=relative)
        return mixed.transpose(0, 2, 1, 3).reshape(flat.shape)


class GatedFeedForward(nnx.Module):
    """GEGLU: (gelu(x G) * x V) O (Shazeer 2020)."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        width, inner = config.width, config.gate_width
        self.gate = parameter(rngs, (width, inner), ("embed", "mlp"), fan_in())
        self.value = parameter(rngs, (width, inner), ("embed", "mlp"), fan_in())
        out = fan_in(gain=1 / math.sqrt(2 * config.layers))
        self.out = parameter(rngs, (inner, width), ("mlp", "embed"), out)

    def __call__(self, x: Float[Array, "tokens width"]) -> Float[Array, "tokens width"]:
        hidden = jax.nn.gelu(x @ self.gate[...]) * (x @ self.value[...])
        return sharding.constrain(hidden, "tokens", "mlp") @ self.out[...]


class Block(nnx.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x)).

    Activations are [tokens, width]: the places of one or more row groups behind each other. Only attention tells the
    groups apart; all else is one big multiplication, which is faster and compiles faster than one for each group.
    """

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.attention_norm = PreNorm(config, rngs=rngs)
        self.attention = Attention(config, rngs=rngs)
        self.feed_forward_norm = PreNorm(config, rngs=rngs)
        self.feed_forward = GatedFeedForward(config, rngs=rngs)

    def __call__(
        self,
        x: Float[Array, "tokens width"],
        places: Sequence[Places],
        *,
        chosen: Sequence[Int[Array, "rows chosen"]] | None = None,
        kept: Sequence[Float[Array, "2 rows"]] | None = None,
    ) -> Float[Array, "queries width"]:
        """Keys and values at every place; output at every place, or only at the `chosen` ones of each row.

        Args:
          chosen: for each group, indices of places.
          kept: for each group, the factor of each row's attention and feed-forward (stochastic depth).
        """
        normed = self.attention_norm(x)
        memory = self.attention.key_values(normed, places)
        if chosen is not None:
            x, normed = (_take(y, places, chosen) for y in (x, normed))
            places = [group.select(some) for group, some in zip(places, chosen, strict=True)]
        return self._finish(x, normed, memory, places, square=chosen is None, kept=kept)

    def extend(
        self, x: Float[Array, "tokens width"], cache: KeyValues, start: Int[Array, ""], places: Places
    ) -> tuple[Float[Array, "tokens width"], KeyValues]:
        """Writes the keys and values of these places into `cache` from `start` on, then attends to all of it."""
        normed = self.attention_norm(x)
        (new,) = self.attention.key_values(normed, [places])
        write = lambda old, part: jax.lax.dynamic_update_slice(old, part.astype(old.dtype), (0, 0, start, 0))  # noqa: E731
        cache = KeyValues(write(cache.keys, new.keys), write(cache.values, new.values))
        return self._finish(x, normed, [cache], [places], square=False, kept=None), cache

    def _finish(
        self,
        x: Array,
        normed: Array,
        memory: Sequence[KeyValues],
        places: Sequence[Places],
        *,
        square: bool,
        kept: Sequence[Float[Array, "2 rows"]] | None,
    ) -> Array:
        x = x + _drop(self.attention(normed, memory, places, square=square), places, kept, 0)
        x = x + _drop(self.feed_forward(self.feed_forward_norm(x)), places, kept, 1)
        return sharding.constrain(x, "tokens", "embed")


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

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.layers, self.scanned, self.remat = config.layers, config.scan_layers, config.remat
        self.stochastic_depth = config.stochastic_depth
        # Drawn as one stack: the random generator compiles once for all layers.
        make = nnx.vmap(lambda key: Block(config, rngs=nnx.Rngs(key)), in_axes=0, out_axes=0)
        stack = make(jax.random.split(rngs.params(), config.layers))
        if self.scanned:
            self.stack = stack
        else:
            self.blocks = nnx.Dict({_name(layer): _layer(stack, layer) for layer in range(config.layers)})
        self.norm = PreNorm(config, rngs=rngs)

    def block(self, layer: int) -> Block:
        """One layer, ready to run: under FSDP its weights are gathered here."""
        return sharding.for_compute(_layer(self.stack, layer) if self.scanned else self.blocks[_name(layer)])

    def __call__(
        self,
        x: Float[Array, "tokens width"],
        places: Sequence[Places],
        *,
        chosen: Sequence[Int[Array, "rows chosen"]] | None = None,
        keys: Sequence[Array] | None = None,
    ) -> Float[Array, "queries width"]:
        """Normed output of the last block at every place, or at the `chosen` places of each row.

        The last block computes keys and values everywhere but queries and feed-forward only where chosen: exact, and
        most of a layer saved where few places carry loss.

        Args:
          places: one entry for each row group whose tokens stand behind each other in `x`.
          chosen: for each group, indices of places.
          keys: for each group, training randomness; None is evaluation.
        """
        kept = self._kept(places, keys)
        body = self.layers - 1 if chosen is not None else self.layers
        if self.scanned:
            x = self._scan(x, places, body, kept)
        else:
            for layer in range(body):
                x = self._run(self.block(layer), x, places, _at(kept, layer))
        if chosen is not None:
            x = self.block(self.layers - 1)(x, places, chosen=chosen, kept=_at(kept, -1))
        return sharding.for_compute(self.norm)(x)

    def _kept(self, places: Sequence[Places], keys: Sequence[Array] | None) -> list[Array] | None:
        """Per group, the factor [layers, 2, rows] of each row's updates: 0 where skipped, else 1 / kept share."""
        if keys is None or not self.stochastic_depth:
            return None
        share = 1 - self.stochastic_depth
        draw = lambda key, rows: jax.random.bernoulli(key, share, (self.layers, 2, rows)) / share  # noqa: E731
        return [draw(key, group.rows) for key, group in zip(keys, places, strict=True)]

    def _run(self, block: Block, x: Array, places: Sequence[Places], kept: list[Array] | None) -> Array:
        if not self.remat:
            return block(x, places, kept=kept)
        graph, state = nnx.split(block)
        return jax.checkpoint(lambda weights, y: nnx.merge(graph, weights)(y, places, kept=kept))(state, x)

    def _scan(self, x: Array, places: Sequence[Places], body: int, kept: list[Array] | None) -> Array:
        graph, state = nnx.split(self.stack)

        def step(y: Array, layer: tuple[Any, list[Array] | None]) -> tuple[Array, None]:
            weights, some = layer
            return self._run(sharding.for_compute(nnx.merge(graph, weights)), y, places, some), None

        return jax.lax.scan(step, x, jax.tree.map(lambda leaf: leaf[:body], (state, kept)))[0]


def _at(kept: list[Array] | None, layer: int) -> list[Array] | None:
    return None if kept is None else [one[layer] for one in kept]


def _layer(stack: Block, layer: int) -> Block:
    graph, state = nnx.split(stack)
    return nnx.merge(graph, jax.tree.map(lambda leaf: leaf[layer], state))


def _name(layer: int) -> str:
    return f"layer_{layer:02d}"
