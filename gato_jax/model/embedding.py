"""From ids and pixels to vectors: token table, patch block, patch positions, local positions (Gato, section 2.2)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, UInt8

from data_pipelines.schema import INTERVAL_STEPS, PATCH_SIDE, PATCH_VALUES
from data_pipelines.vocabulary import BINS, TokenType, Vocabulary
from gato_jax import sharding
from gato_jax.config import PLAIN, Execution, ModelConfig
from gato_jax.model.bins import bin_features, feature_count
from gato_jax.model.parameters import add_parameters, constant, fan_in, normal, own_weights, parameter, zeros
from gato_jax.model.positions import scheme_of


def _conv(x: Float[Array, "n h w c"], kernel: Float[Array, "kh kw c d"]) -> Float[Array, "n h w d"]:
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


class GroupNorm(nnx.Module):
    """Normalises each group of channels of each patch over its pixels; scale and bias per channel."""

    # Not nnx.GroupNorm: rounded otherwise, and slower on a CPU (`python -m benchmarks.nnx_layers`).
    def __init__(self, channels: int, groups: int, *, rngs: nnx.Rngs):
        self.groups = groups
        self.scale = parameter(rngs, (channels,), ("patch",), constant(1.0))
        self.bias = parameter(rngs, (channels,), ("patch",), constant(0.0))

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        n, height, width, channels = x.shape
        y = x.astype(jnp.float32).reshape(n, height * width, channels)

        def over_groups(means: Float[Array, "n c"]) -> Float[Array, "n 1 c"]:
            groups = means.reshape(n, self.groups, -1).mean(-1)
            return jnp.repeat(groups, channels // self.groups, axis=1)[:, None]

        # Pixels first, then the channels of a group: no reshape of the large array, a third less time on a CPU.
        y = y - over_groups(y.mean(1))
        scale = jax.lax.rsqrt(over_groups(jnp.square(y).mean(1)) + 1e-6) * self.scale[...][None, None]
        return (y * scale + self.bias[...][None, None]).reshape(x.shape).astype(x.dtype)


class PatchEmbedding(nnx.Module):
    """One pre-activation ResNet block per 16x16 patch, and the patch's place in its image.

    3x3 conv to C channels, [GroupNorm, GELU, 3x3 conv] x 2 with a skip, 1x1 conv to 3, flatten, linear to d. The paper
    names the block (figure 16) but no sizes; these meet its parameter counts.
    """

    def __init__(self, config: ModelConfig, *, rngs: nnx.Rngs):
        channels = config.patch_channels
        axes = (None, None, "patch", "patch")
        kernel = fan_in(contracted=3)
        self.stem = parameter(rngs, (3, 3, 3, channels), axes, kernel)
        self.norm_1 = GroupNorm(channels, config.patch_groups, rngs=rngs)
        self.conv_1 = parameter(rngs, (3, 3, channels, channels), axes, kernel)
        self.norm_2 = GroupNorm(channels, config.patch_groups, rngs=rngs)
        self.conv_2 = parameter(rngs, (3, 3, channels, channels), axes, kernel)
        self.head = parameter(rngs, (1, 1, channels, 3), axes, kernel)
        self.project = parameter(
            rngs, (PATCH_VALUES, config.width), ("patch", "embed"), fan_in(gain=config.embedding_scale)
        )
        table = normal(config.embedding_scale)
        self.rows = parameter(rngs, (INTERVAL_STEPS, config.width), ("places", "embed"), table)
        self.columns = parameter(rngs, (INTERVAL_STEPS, config.width), ("places", "embed"), table)

    def __call__(
        self, patches: UInt8[Array, "n values"], interval: Int[Array, "n 4"], *, key: Array | None
    ) -> Float[Array, "n width"]:
        """Pixels 0..255 in raster order, RGB last; `key` samples places in the interval, None takes its mean."""
        dtype = self.project[...].dtype
        # Pixels to [-1, 1], then by sqrt(16) (section 2.1).
        pixels = ((patches.astype(jnp.float32) / 127.5 - 1.0) / PATCH_SIDE**0.5).astype(dtype)
        x = _conv(pixels.reshape(-1, PATCH_SIDE, PATCH_SIDE, 3), self.stem[...])
        y = _conv(jax.nn.gelu(self.norm_1(x)), self.conv_1[...])
        y = _conv(jax.nn.gelu(self.norm_2(y)), self.conv_2[...])
        x = _conv(x + y, self.head[...]).reshape(-1, PATCH_VALUES) @ self.project[...]
        place = patch_places(interval, key=key)
        return x + self.rows[...][place[:, 0]] + self.columns[...][place[:, 1]]


def patch_places(interval: Int[Array, "n 4"], *, key: Array | None) -> Int[Array, "n 2"]:
    """Row and column index of each patch (Gato, appendix C.2).

    Training (`key`): uniform over [low, high). Evaluation: the rounded mean. Clamped to the tables.
    """
    low, high = interval[:, 0::2], interval[:, 1::2]
    if key is None:
        place = (low + high + 1) // 2
    else:
        place = low + jnp.floor(jax.random.uniform(key, low.shape) * (high - low)).astype(jnp.int32)
    return jnp.clip(place, 0, INTERVAL_STEPS - 1)


class Embedding(nnx.Module):
    """All that enters the first block, and the tied table that leaves the last one."""

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary, execution: Execution = PLAIN, *, rngs: nnx.Rngs):
        self.width, self.patch_budget = config.width, execution.patch_budget
        table = normal(config.embedding_scale)
        self.tokens = parameter(rngs, (vocabulary.padded_size, config.width), ("vocab", "embed_whole"), table)
        self.local = parameter(rngs, (config.local_positions, config.width), ("places", "embed"), table)
        self.patches = PatchEmbedding(config, rngs=rngs)
        self.scheme = scheme_of(config)
        add_parameters(self, self.scheme.embedding_parameters(rngs))
        self.first_bin, self.bin_waves = vocabulary.continuous_start, config.bin_waves
        if config.bin_waves:
            # So a network begins as one without them does.
            self.bins = zeros((feature_count(config.bin_waves), config.width), ("places", "embed"))

    def table(self) -> Float[Array, "ids width"]:
        """A vector for each id, with what the features of its bin add."""
        table = self.tokens[...]
        if not self.bin_waves:
            return table
        added = jnp.asarray(bin_features(self.bin_waves)) @ self.bins[...].astype(jnp.float32)
        return table.at[self.first_bin : self.first_bin + BINS].add(added.astype(table.dtype))

    def __call__(
        self, inputs: Sequence[Mapping[str, Array]], *, keys: Sequence[Array | None], positions: bool = True
    ) -> Float[Array, "tokens width"]:
        """Rows of one or more groups, by the schema's names, [B, L] each -> all their places, [sum of B * L, d].

        2-D, because a CPU multiplies that a quarter faster. `keys` sample patch places; None is evaluation. Without
        `positions`, what `place` adds is left out.
        """
        flat = lambda name: jnp.concatenate([group[name].reshape(-1) for group in inputs])  # noqa: E731
        kind, local = flat("token_type"), flat("observation_position")
        has_id = (kind != TokenType.PATCH) & (kind != TokenType.PADDING)
        x = jnp.where(has_id[:, None], self.table()[flat("tokens")], 0)
        # Index 0 means "none": actions, separators and text-only rows have no place in an observation.
        x = x + jnp.where((local > 0)[:, None], self.local[...][jnp.maximum(local - 1, 0)], 0)
        x = self.place(x, flat("positions")) if positions else x
        x = sharding.constrain(x, "tokens", "embed")
        if not any(_has_patches(group) for group in inputs):
            return x
        ends = np.cumsum([group["tokens"].size for group in inputs])[:-1]
        pieces = jnp.split(x, ends)
        for index, (group, key) in enumerate(zip(inputs, keys, strict=True)):
            if _has_patches(group):
                pieces[index] = self._add_patches(pieces[index], group, key)
        return sharding.constrain(jnp.concatenate(pieces), "tokens", "embed")

    def place(self, x: Float[Array, "tokens width"], positions: Int[Array, "tokens"]) -> Float[Array, "tokens width"]:
        """Adds what the position scheme adds to embeddings."""
        return self.scheme.embed(own_weights(self, self.scheme.embedding_names), x, positions)

    def _add_patches(self, x: Array, inputs: Mapping[str, Array], key: Array | None) -> Array:
        batch, length = inputs["tokens"].shape
        count = inputs["patches"].shape[1]
        slot, pixels, interval = inputs["patch_slot"], inputs["patches"], inputs["patch_interval"]
        if self.patch_budget < 1:
            # Each device's rows become one long row, its patches move to the front and the rest is cut off.
            devices = sharding.batch_devices()
            batch, rows = devices, batch // devices
            first = jnp.tile(jnp.arange(rows, dtype=slot.dtype) * length, devices)[:, None]
            slot = jnp.where(slot < length, slot + first, rows * length).reshape(batch, -1)
            length, count = rows * length, budget_of(self.patch_budget, rows * count)
            chosen = compact(slot < length, budget=count)
            take = lambda values: take_rows(values.reshape(batch, rows * inputs["patches"].shape[1], -1), chosen)  # noqa: E731
            pixels, interval = take(pixels), take(interval)
            slot = jnp.where(chosen < slot.shape[1], take(slot)[..., 0], length)
        patches = self.patches(pixels.reshape(batch * count, -1), interval.reshape(-1, 4), key=key).reshape(
            batch, count, self.width
        )
        # Unused patches have slot L, which is out of bounds and dropped.
        scatter = jax.vmap(lambda row, slot, patch: row.at[slot].add(patch, mode="drop"))
        return scatter(x.reshape(batch, length, self.width), slot, patches).reshape(x.shape)

    def logits(
        self, x: Float[Array, "*places width"], *, size: int, dtype: Any = jnp.float32
    ) -> Float[Array, "*places vocab"]:
        """x E^T, stored as `dtype`, with -inf at the rows of the table past `size`."""
        table = self.table()
        logits = jax.lax.dot_general(x, table, (((x.ndim - 1,), (1,)), ((), ())), preferred_element_type=dtype)
        if size == table.shape[0]:
            return logits
        padded = jnp.arange(table.shape[0]) >= size
        return jnp.where(padded.reshape((1,) * (x.ndim - 1) + (-1,)), jnp.asarray(-jnp.inf, dtype), logits)


def budget_of(share: float, places: int) -> int:
    """Places that a budget holds: rounded up, so that a batch that just fits always does."""
    return min(places, math.ceil(share * places))


def compact(mask: Bool[Array, "n places"], *, budget: int) -> Int[Array, "n budget"]:
    """Indices of the wanted places of each row, in order; unused ones are `places`, out of bounds."""
    slot = jnp.where(mask, jnp.cumsum(mask, axis=1) - 1, budget)
    place = jnp.broadcast_to(jnp.arange(mask.shape[1], dtype=jnp.int32), mask.shape)
    empty = jnp.full(budget, mask.shape[1], jnp.int32)
    return jax.vmap(lambda slots, values: empty.at[slots].set(values, mode="drop"))(slot, place)


def take_rows(x: Float[Array, "n places width"], chosen: Int[Array, "n budget"]) -> Float[Array, "n budget width"]:
    """x at these places; zeros where an index is out of bounds."""
    return jax.vmap(lambda row, index: row.at[index].get(mode="fill", fill_value=0))(x, chosen)


def _has_patches(inputs: Mapping[str, Array]) -> bool:
    return "patches" in inputs and inputs["patches"].shape[1] > 0
