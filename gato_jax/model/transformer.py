"""The decoder: pre-norm blocks of attention and GEGLU, without biases (Gato, appendix C.1)."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
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
        for name in ("query", "key", "value"):
            setattr(self, name, parameter(rngs, (config.width, inner), ("embed", "heads"), fan_in()))
        out = fan_in(gain=1 / math.sqrt(2 * config.layers))
        self.out = parameter(rngs, (inner, config.width), ("heads", "embed"), out)
        if self.positions is Positions.TRANSFORMER_XL:
            self.relative = parameter(rngs, (config.width, inner), ("embed", "heads"), fan_in())
            self.content_bias = parameter(rngs, (inner,), ("heads",), constant(0.0))
            self.position_bias = parameter(rngs, (inner,), ("heads",), constant(0.0))

    def split(self, x: Float[Array, "tokens inner"], rows: int) -> Float[Array, "rows heads places size"]:
        heads = x.reshape(rows, -1, self.heads, self.size).transpose(0, 2, 1, 3)
        return sharding.constrain(heads, "batch", "heads", None, None)

    def key_values(self, x: Float[Array, "tokens width"], places: Places) -> KeyValues:
        """Keys and values of places `places.query_*`: what a cache stores."""
        keys = self.split(x @ self.key[...], places.rows)
        if self.positions is Positions.ROTARY:
            keys = rotate(keys, places.query_positions)
        return KeyValues(keys, self.split(x @ self.value[...], places.rows))

    def __call__(
        self, x: Float[Array, "queries width"], memory: KeyValues, places: Places, *, square: bool
    ) -> Float[Array, "queries width"]:
        """`square`: the queries are all the places of the keys, in order."""
        flat = x @ self.query[...]
        relative = None
        if self.positions is Positions.TRANSFORMER_XL:
            table = distance_table(places.keys, x.shape[-1]).astype(x.dtype) @ self.relative[...]
            distances = table.reshape(-1, self.heads, self.size).transpose(1, 0, 2)
            biased = self.split(flat + self.position_bias[...][None], places.rows)
            relative = relative_scores(biased, distances, places, square=square)
            flat = flat + self.content_bias[...][None]
        query = self.split(flat, places.rows)
        if self.positions is Positions.ROTARY:
            query = rotate(query, places.query_positions)
        mixed = attention(query, memory.keys, memory.values, places, relative=relative)
        return mixed.transpose(0, 2, 1, 3).reshape(x.shape[0], -1) @ self.out[...]


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
    """x + attention(norm(x)), then x + feed_forward(norm(x)); activations are [rows * places, width]."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.stochastic_depth = config.stochastic_depth
        self.attention_norm = PreNorm(config, rngs=rngs)
        self.attention = Attention(config, rngs=rngs)
        self.feed_forward_norm = PreNorm(config, rngs=rngs)
        self.feed_forward = GatedFeedForward(config, rngs=rngs)

    def __call__(
        self,
        x: Float[Array, "tokens width"],
        places: Places,
        *,
        chosen: Int[Array, "rows chosen"] | None = None,
        key: Array | None = None,
    ) -> Float[Array, "queries width"]:
        """Keys and values at every place; output at every place, or only at the `chosen` ones of each row."""
        normed = self.attention_norm(x)
        memory = self.attention.key_values(normed, places)
        if chosen is not None:
            x, normed = (_take(y, chosen) for y in (x, normed))
            places = places.select(chosen)
        return self._finish(x, normed, memory, places, square=chosen is None, key=key)

    def extend(
        self, x: Float[Array, "tokens width"], cache: KeyValues, start: Int[Array, ""], places: Places
    ) -> tuple[Float[Array, "tokens width"], KeyValues]:
        """Writes the keys and values of these places into `cache` from `start` on, then attends to all of it."""
        normed = self.attention_norm(x)
        new = self.attention.key_values(normed, places)
        cache = KeyValues(
            *(jax.lax.dynamic_update_slice(old, part.astype(old.dtype), (0, 0, start, 0))
              for old, part in zip(cache, new, strict=True))
        )
        return self._finish(x, normed, cache, places, square=False, key=None), cache

    def _finish(
        self, x: Array, normed: Array, memory: KeyValues, places: Places, *, square: bool, key: Array | None
    ) -> Array:
        keys = (None, None) if key is None else jax.random.split(key)
        x = x + self._drop(self.attention(normed, memory, places, square=square), places.rows, keys[0])
        x = x + self._drop(self.feed_forward(self.feed_forward_norm(x)), places.rows, keys[1])
        return sharding.constrain(x, "tokens", "embed")

    def _drop(self, update: Array, rows: int, key: Array | None) -> Array:
        """Stochastic depth: a row loses the whole update with this probability; the others are scaled up."""
        if key is None or not self.stochastic_depth:
            return update
        keep = jax.random.bernoulli(key, 1 - self.stochastic_depth, (rows, 1, 1)) / (1 - self.stochastic_depth)
        return (update.reshape(rows, -1, update.shape[-1]) * keep.astype(update.dtype)).reshape(update.shape)


def _take(x: Float[Array, "tokens width"], chosen: Int[Array, "rows chosen"]) -> Float[Array, "queries width"]:
    """Rows of a flat [rows * places, width] array at these places of each row, flat again."""
    rows, width = chosen.shape[0], x.shape[-1]
    return jnp.take_along_axis(x.reshape(rows, -1, width), chosen[:, :, None], axis=1).reshape(-1, width)


class Transformer(nnx.Module):
    """All blocks and the last norm. Unrolled, or one block scanned over stacked weights."""

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        self.layers, self.scanned, self.remat = config.layers, config.scan_layers, config.remat
        if self.scanned:
            make = nnx.vmap(lambda key: Block(config, rngs=nnx.Rngs(key)), in_axes=0, out_axes=0)
            self.stack = make(jax.random.split(rngs.params(), config.layers))
        else:
            self.blocks = nnx.Dict({_name(layer): Block(config, rngs=rngs) for layer in range(config.layers)})
        self.norm = PreNorm(config, rngs=rngs)

    def block(self, layer: int) -> Block:
        """One layer, ready to run: under FSDP its weights are gathered here."""
        if not self.scanned:
            return sharding.for_compute(self.blocks[_name(layer)])
        graph, state = nnx.split(self.stack)
        return sharding.for_compute(nnx.merge(graph, jax.tree.map(lambda leaf: leaf[layer], state)))

    def __call__(
        self,
        x: Float[Array, "tokens width"],
        places: Places,
        *,
        chosen: Int[Array, "rows chosen"] | None = None,
        key: Array | None = None,
    ) -> Float[Array, "queries width"]:
        """Normed output of the last block at every place, or at the `chosen` places of each row.

        The last block computes keys and values everywhere but queries and feed-forward only where chosen: exact, and
        most of a layer saved where few places carry loss.
        """
        keys = [None] * self.layers if key is None else list(jax.random.split(key, self.layers))
        body = self.layers - 1 if chosen is not None else self.layers
        if self.scanned:
            x = self._scan(x, places, body, key)
        else:
            for layer in range(body):
                x = self._run(self.block(layer), x, places, keys[layer])
        if chosen is not None:
            x = self.block(self.layers - 1)(x, places, chosen=chosen, key=keys[-1])
        return sharding.for_compute(self.norm)(x)

    def _run(self, block: Block, x: Array, places: Places, key: Array | None) -> Array:
        if not self.remat:
            return block(x, places, key=key)
        graph, state = nnx.split(block)
        return jax.checkpoint(lambda weights, y: nnx.merge(graph, weights)(y, places, key=key))(state, x)

    def _scan(self, x: Array, places: Places, body: int, key: Array | None) -> Array:
        graph, state = nnx.split(self.stack)
        keys = None if key is None else jax.random.split(key, self.layers)[:body]

        def step(y: Array, layer: tuple[Any, Array | None]) -> tuple[Array, None]:
            weights, layer_key = layer
            return self._run(sharding.for_compute(nnx.merge(graph, weights)), y, places, layer_key), None

        return jax.lax.scan(step, x, (jax.tree.map(lambda leaf: leaf[:body], state), keys))[0]


def _name(layer: int) -> str:
    return f"layer_{layer:02d}"
