"""The decoder: pre-norm blocks of attention and GEGLU, without biases (Gato, appendix C.1)."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float, Int

from gato_jax import sharding
from gato_jax.config import Execution, Gradients, ModelConfig, Norm, Remat
from gato_jax.model.attention import attention, merge_heads, over_parts, split_heads
from gato_jax.model.parameters import add_parameters, constant, fan_in, own_weights, parameter
from gato_jax.model.places import JointPlaces, Places
from gato_jax.model.positions import scheme_of


class KeyValues(NamedTuple):
    """Keys and values of one block, [rows, heads, places, head size]."""

    keys: Float[Array, "rows heads places size"]
    values: Float[Array, "rows heads places size"]

    def write(self, new: "KeyValues", start: Int[Array, ""]) -> "KeyValues":
        """With other keys and values at the places from `start` on."""
        pairs = zip(self, new, strict=True)
        return KeyValues(*(jax.lax.dynamic_update_slice(a, b.astype(a.dtype), (0, 0, start, 0)) for a, b in pairs))


class Noise(NamedTuple):
    """Randomness of training, of all layers or of one. None is evaluation."""

    kept: list[Float[Array, "*layers 2 rows"]] | None
    """Stochastic depth: for each group, the factor of each row's attention and feed-forward."""
    key: Array | None
    """Dropout."""

    def layer(self, index: Any) -> "Noise":
        return jax.tree.map(lambda leaf: leaf[index], self)

    def thin(
        self, update: Float[Array, "tokens width"], *, places: JointPlaces, which: int, dropout: float
    ) -> Float[Array, "tokens width"]:
        """The update of attention (0) or of the feed-forward (1), without the values and the rows that are dropped."""
        if self.key is not None and dropout:
            key = jax.random.split(self.key)[which]
            keep = jax.random.bernoulli(key, 1 - dropout, update.shape)
            update = jnp.where(keep, update / (1 - dropout), 0).astype(update.dtype)
        if self.kept is not None:
            update = update * places.spread([one[which] for one in self.kept]).astype(update.dtype)
        return update


QUIET = Noise(None, None)

SAVED = {
    Remat.FULL: (),
    Remat.NAMES: ("qkv", "attn", "wo", "mlp", "wd"),
    Remat.ATTENTION: ("qkv", "attn"),
}
"""Names of `checkpoint_name` that each policy keeps. "attn" is attention's output, in a kernel its sums too."""


class PreNorm(nnx.Module):
    """Layer or RMS normalisation of the last axis in float32, with a scale."""

    # Not nnx.LayerNorm and nnx.RMSNorm: they join scale and reciprocal root first, so losses would not be bit-equal,
    # and LayerNorm takes twice the temporary memory on a CPU (`python -m benchmarks.nnx_layers`, 2026-11-27).
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
        self.heads, self.scheme = config.heads, scheme_of(config)
        self.kernel, self.bf16_probabilities = execution.attention, execution.bf16_probabilities
        inner = config.heads * config.head_size
        project = lambda: parameter(rngs, (config.width, inner), ("embed", "heads"), fan_in())  # noqa: E731
        self.query, self.key, self.value = project(), project(), project()
        out = fan_in(gain=1 / math.sqrt(2 * config.layers))
        self.out = parameter(rngs, (inner, config.width), ("heads_in", "embed_whole"), out)
        add_parameters(self, self.scheme.attention_parameters(rngs))

    def split(self, x: Float[Array, "tokens inner"], rows: int) -> Float[Array, "rows heads places size"]:
        return sharding.constrain(split_heads(x, rows, self.heads, kernel=self.kernel), "batch", "heads", None, None)

    def key_values(self, x: Float[Array, "tokens width"], places: JointPlaces) -> list[KeyValues]:
        """Keys and values of each group at the places of `x`: what a cache stores."""
        key_values = []
        keys, values = (x @ weights[...] for weights in (self.key, self.value))
        for flat_keys, flat_values, group in zip(places.split(keys), places.split(values), places.groups, strict=True):
            turned = self.scheme.turn(self.split(flat_keys, group.rows), group.query_positions)
            split = self.split(flat_values, group.rows)
            key_values.append(KeyValues(checkpoint_name(turned, "qkv"), checkpoint_name(split, "qkv")))
        return key_values

    def __call__(
        self, x: Float[Array, "queries width"], memory: Sequence[KeyValues], places: JointPlaces
    ) -> Float[Array, "queries width"]:
        """`memory`: keys and values of each group."""
        queries = places.split(x @ self.query[...])
        mixed = [self._mix(*group) for group in zip(queries, memory, places.groups, strict=True)]
        return checkpoint_name(jnp.concatenate(mixed) @ self.out[...], "wo")

    def recall(
        self,
        x: Float[Array, "queries width"],
        memories: Sequence[KeyValues],
        places: Places,
        distances: Array | None,
    ) -> Float[Array, "queries width"]:
        """Attention over keys that lie in several arrays, of which `places` has all one behind the other."""
        own, flat = own_weights(self, self.scheme.attention_names), x @ self.query[...]
        split = lambda x: self.split(x, places.rows)  # noqa: E731
        added = self.scheme.added_scores(own, flat, places, split, distances)
        query = self.scheme.turn(split(self.scheme.content(own, flat)), places.query_positions)
        mixed = over_parts(query, [(memory.keys, memory.values) for memory in memories], places.visible(), added)
        return merge_heads(mixed, kernel=self.kernel) @ self.out[...]

    def distances(self, length: int) -> Array | None:
        """What `recall` needs of the distances below `length`; the same in every call."""
        return self.scheme.distances(own_weights(self, self.scheme.attention_names), length)

    def _mix(self, flat: Array, memory: KeyValues, places: Places) -> Array:
        """One group's attention, flat queries in, flat heads out."""
        own = own_weights(self, self.scheme.attention_names)
        added = self.scheme.added_scores(own, flat, places, lambda x: self.split(x, places.rows))
        query = self.split(self.scheme.content(own, flat), places.rows)
        mixed = attention(
            checkpoint_name(self.scheme.turn(query, places.query_positions), "qkv"),
            memory.keys,
            memory.values,
            places,
            added=added,
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
    """x + attention(norm(x)), then x + feed_forward(norm(x)); x is [tokens, width], as `JointPlaces` says."""

    def __init__(self, config: ModelConfig, execution: Execution, *, rngs: nnx.Rngs):
        self.tokens = "split_tokens" if execution.sequence_parallel else "tokens"
        self.dropout = config.dropout
        self.attention_norm = PreNorm(config, rngs=rngs)
        self.attention = Attention(config, execution, rngs=rngs)
        self.feed_forward_norm = PreNorm(config, rngs=rngs)
        self.feed_forward = GatedFeedForward(config, rngs=rngs)

    def __call__(
        self, x: Float[Array, "tokens width"], places: JointPlaces, *, noise: Noise = QUIET
    ) -> Float[Array, "queries width"]:
        """Keys and values at every place; output at the chosen ones. `noise` is that of this layer."""
        normed = sharding.constrain(self.attention_norm(x), "tokens", "embed")
        memory = self.attention.key_values(normed, places)
        return self._update(places.choose(x), places.choose(normed), memory, places.queries(), noise)

    def extend(
        self, x: Float[Array, "tokens width"], cache: KeyValues, start: Int[Array, ""], places: Places
    ) -> tuple[Float[Array, "tokens width"], KeyValues]:
        """Writes the keys and values of these places into `cache` from `start` on, then attends to all of it."""
        normed, joint = self.attention_norm(x), JointPlaces((places,))
        cache = cache.write(self.attention.key_values(normed, joint)[0], start)
        return self._update(x, normed, [cache], joint, QUIET), cache

    def recall(
        self,
        x: Float[Array, "tokens width"],
        older: Sequence[KeyValues],
        recent: KeyValues,
        start: Int[Array, ""],
        places: Places,
        distances: Array | None,
    ) -> tuple[Float[Array, "tokens width"], KeyValues]:
        """As `extend`, into `recent`, and attends to `older` keys too, which it leaves as they are."""
        normed = self.attention_norm(x)
        recent = recent.write(self.attention.key_values(normed, JointPlaces((places,)))[0], start)
        x = x + self.attention.recall(normed, [*older, recent], places, distances)
        return x + self.feed_forward(self.feed_forward_norm(x)), recent

    def _update(
        self, x: Array, normed: Array, memory: Sequence[KeyValues], places: JointPlaces, noise: Noise
    ) -> Float[Array, "queries width"]:
        thin = functools.partial(noise.thin, places=places, dropout=self.dropout)
        x = sharding.constrain(x + thin(self.attention(normed, memory, places), which=0), self.tokens, "embed")
        normed = sharding.constrain(self.feed_forward_norm(x), "tokens", "embed")
        return sharding.constrain(x + thin(self.feed_forward(normed), which=1), self.tokens, "embed")


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
        places: JointPlaces,
        *,
        keys: Sequence[Array] | None = None,
        whole: "Transformer | None" = None,
    ) -> Float[Array, "queries width"]:
        """Normed output of the last block at every place, or at the chosen places of each row.

        The last block computes keys and values everywhere but queries and feed-forward only where chosen: exact, and
        most of a layer saved where few places carry loss.

        Args:
          keys: for each group, training randomness; None is evaluation.
          whole: under `Gather.STEP`, this transformer with gathered weights.
        """
        noise, everywhere = self._noise(places, keys), JointPlaces(places.groups)
        body = self.layers if places.chosen is None else self.layers - 1
        if self.scanned:
            x = self._scan(x, everywhere, body, noise, whole)
        else:
            for layer in range(body):
                x = self._run(layer, x, everywhere, noise, whole)
        if body < self.layers:
            x = self._run(body, x, places, noise, whole)
        return self.norm(x)

    def _noise(self, places: JointPlaces, keys: Sequence[Array] | None) -> Noise:
        """Per group, the factor [layers, 2, rows] of each row's updates: 0 where skipped, else 1 / kept share."""
        if keys is None:
            return QUIET
        row_factors = None
        if self.stochastic_depth:
            share = 1 - self.stochastic_depth
            draw = lambda key, rows: jax.random.bernoulli(key, share, (self.layers, 2, rows)) / share  # noqa: E731
            row_factors = [draw(key, group.rows) for key, group in zip(keys, places.groups, strict=True)]
        return Noise(
            row_factors, jax.random.split(jax.random.fold_in(keys[0], 1), self.layers) if self.dropout else None
        )

    def _run(self, layer: int, x: Array, places: JointPlaces, noise: Noise, whole: Any) -> Array:
        weights = (self.layer(layer), None if whole is None else whole.layer(layer))
        graph, state = nnx.split(weights)
        return self._apply(graph, places)(state, x, noise.layer(layer))

    def _scan(self, x: Array, places: JointPlaces, body: int, noise: Noise, whole: Any) -> Array:
        graph, state = nnx.split((self.stack, None if whole is None else whole.stack))
        apply = self._apply(graph, places, looped=True)
        rest = jax.tree.map(lambda leaf: leaf[:body], (state, noise)) if body < self.layers else (state, noise)
        return jax.lax.scan(lambda y, one: (apply(one[0], y, one[1]), None), x, rest)[0]

    def _apply(self, graph: Any, places: JointPlaces, *, looped: bool = False) -> Callable[[Any, Array, Noise], Array]:
        """(weights of a layer, x, its noise) -> x. Gathering is inside what is computed again: whole weights of all
        layers are never kept, unless they were gathered before."""

        def run(state: Any, x: Array, noise: Noise) -> Array:
            block, whole = nnx.merge(graph, state)
            block = sharding.for_compute(block, whole, scatter=self.scatter)
            return block(x, places, noise=noise)

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
