"""From ids and pixels to vectors: token table, patch block, patch positions, local positions (Gato, section 2.2)."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, UInt8

from data_pipelines.schema import INTERVAL_STEPS, PATCH_SIDE, PATCH_VALUES
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax import sharding
from gato_jax.model.config import ModelConfig, Positions
from gato_jax.model.parameters import constant, fan_in, normal, parameter


def _conv(x: Float[Array, "n h w c"], kernel: Float[Array, "kh kw c d"]) -> Float[Array, "n h w d"]:
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


class GroupNorm(nnx.Module):
    """Normalises each group of channels of each patch over its pixels; scale and bias per channel."""

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

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary, *, rngs: nnx.Rngs):
        self.width = config.width
        table = normal(config.embedding_scale)
        self.tokens = parameter(rngs, (vocabulary.padded_size, config.width), ("vocab", "embed"), table)
        self.local = parameter(rngs, (config.local_positions, config.width), ("places", "embed"), table)
        self.patches = PatchEmbedding(config, rngs=rngs)
        self.learned = config.positions is Positions.LEARNED
        if self.learned:
            self.positions = parameter(rngs, (config.max_length, config.width), ("places", "embed"), table)

    def __call__(
        self, inputs: Sequence[Mapping[str, Array]], *, keys: Sequence[Array | None]
    ) -> Float[Array, "tokens width"]:
        """Rows of one or more groups, by the schema's names, [B, L] each -> all their places, [sum of B * L, d].

        2-D, because a CPU multiplies that a quarter faster. `keys` sample patch places; None is evaluation.
        """
        flat = lambda name: jnp.concatenate([group[name].reshape(-1) for group in inputs])  # noqa: E731
        kind, local = flat("token_type"), flat("observation_position")
        has_id = (kind != TokenType.PATCH) & (kind != TokenType.PADDING)
        x = jnp.where(has_id[:, None], self.tokens[...][flat("tokens")], 0)
        # Index 0 means "none": actions, separators and text-only rows have no place in an observation.
        x = x + jnp.where((local > 0)[:, None], self.local[...][jnp.maximum(local - 1, 0)], 0)
        if self.learned:
            x = x + self.positions[...][flat("positions")]
        x = sharding.constrain(x, "tokens", "embed")
        if not any(_has_patches(group) for group in inputs):
            return x
        ends = np.cumsum([group["tokens"].size for group in inputs])[:-1]
        pieces = jnp.split(x, ends)
        for index, (group, key) in enumerate(zip(inputs, keys, strict=True)):
            if _has_patches(group):
                pieces[index] = self._add_patches(pieces[index], group, key)
        return sharding.constrain(jnp.concatenate(pieces), "tokens", "embed")

    def _add_patches(self, x: Array, inputs: Mapping[str, Array], key: Array | None) -> Array:
        batch, length = inputs["tokens"].shape
        count = inputs["patches"].shape[1]
        patches = self.patches(
            inputs["patches"].reshape(batch * count, -1), inputs["patch_interval"].reshape(-1, 4), key=key
        ).reshape(batch, count, self.width)
        # Unused patches have slot L, which is out of bounds and dropped.
        scatter = jax.vmap(lambda row, slot, patch: row.at[slot].add(patch, mode="drop"))
        return scatter(x.reshape(batch, length, self.width), inputs["patch_slot"], patches).reshape(x.shape)

    def logits(self, x: Float[Array, "*places width"], *, size: int) -> Float[Array, "*places vocab"]:
        """x E^T in float32, with -inf at the rows of the table past `size`."""
        table = self.tokens[...]
        logits = jax.lax.dot_general(x, table, (((x.ndim - 1,), (1,)), ((), ())), preferred_element_type=jnp.float32)
        padded = jnp.arange(table.shape[0]) >= size
        return jnp.where(padded.reshape((1,) * (x.ndim - 1) + (-1,)), -jnp.inf, logits)


def _has_patches(inputs: Mapping[str, Array]) -> bool:
    return "patches" in inputs and inputs["patches"].shape[1] > 0
