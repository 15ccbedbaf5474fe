"""Position schemes: how attention knows the order of a sequence. One class each, with all that the network needs of it.

A new scheme is a class here and its line in `SCHEMES`, its name in `config.Positions`, and its twins for NumPy and
PyTorch in `export/huggingface/`. Parameters keep the names that checkpoints know them by.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from gato_jax import sharding
from gato_jax.config import ModelConfig, Positions
from gato_jax.model.parameters import constant, fan_in, normal, parameter
from gato_jax.model.places import Places

Heads = Float[Array, "rows heads places size"]
Flat = Float[Array, "tokens inner"]
Scores = Float[Array, "rows heads queries keys"]
Distances = Float[Array, "heads length size"]
Split = Callable[[Flat], Heads]
Weights = Mapping[str, Any]
"""Parameters that the scheme made, as arrays in the compute dtype."""


@dataclasses.dataclass(frozen=True)
class Product:
    """A matrix product, for the count of FLOPs.

    Args:
      forward: FLOPs of its forward pass.
      backward: products of the same size in the backward pass.
      causal: the model needs the visible half of it.
      needed: False where the model needs none of it: only this way of computing does.
      kept: name under which a remat policy may keep its result; "" = none.
      shared: the same on all devices, so that the compiler may deal its backward work to them.
    """

    forward: float
    backward: float = 2.0
    causal: bool = False
    needed: bool = True
    kept: str = ""
    shared: bool = False


@dataclasses.dataclass(frozen=True)
class NoPositions:
    """No positions: only the causal mask tells the order. The base of the other schemes.

    Attributes:
      title: its name in messages.
      embedding_names, attention_names: its parameters there.
      vectors: those that are no matrices, which weight decay leaves alone.
      tables: its embedding tables.
      adds_scores: whether it adds scores of its own, which kernels that hide the scores cannot do.
      keeps_query: whether attention's query is what the projection gave, and so kept under its name.
    """

    model: ModelConfig
    title: ClassVar[str] = "no"
    embedding_names: ClassVar[tuple[str, ...]] = ()
    attention_names: ClassVar[tuple[str, ...]] = ()
    vectors: ClassVar[tuple[str, ...]] = ()
    tables: ClassVar[tuple[str, ...]] = ()
    adds_scores: ClassVar[bool] = False
    keeps_query: ClassVar[bool] = True

    @classmethod
    def tensors(cls) -> list[str]:
        """Ends of the names that its parameters have in exported files."""
        return [*(f"embedding.{n}" for n in cls.embedding_names), *(f"attention.{n}" for n in cls.attention_names)]

    @property
    def longest(self) -> int | None:
        """Places of the longest window; None = no limit."""
        return None

    def embedding_parameters(self, rngs: nnx.Rngs) -> dict[str, nnx.Param]:
        """Parameters of the embedding, by name."""
        return {}

    def attention_parameters(self, rngs: nnx.Rngs) -> dict[str, nnx.Param]:
        """Parameters of each layer's attention, by name."""
        return {}

    def embed(
        self, weights: Weights, x: Float[Array, "tokens width"], positions: Int[Array, "tokens"]
    ) -> Float[Array, "tokens width"]:
        """What enters the first block."""
        return x

    def content(self, weights: Weights, query: Flat) -> Flat:
        """The projected query before it meets the keys."""
        return query

    def turn(self, heads: Heads, positions: Int[Array, "rows places"]) -> Heads:
        """Queries or keys at their positions."""
        return heads

    def distances(self, weights: Weights, length: int) -> Distances | None:
        """What the scores of 0, 1, ... `length` - 1 places between query and key are made of; None = nothing."""
        return None

    def added_scores(
        self, weights: Weights, query: Flat, places: Places, split: Split, distances: Distances | None = None
    ) -> Scores | None:
        """What is added to the scores, divided by sqrt(head size); None = nothing.

        Args:
          split: puts heads in front.
          distances: made before, of all distances that occur; None = they are made here, as many as there are keys.
        """
        return None

    def products(self, *, queries: float, keys: float, length: int, inner: float, on_tpu: bool) -> list[Product]:
        """What a layer multiplies for the scheme's sake, beside the projections of queries, keys and values.

        Args:
          queries, keys: places of all windows of a device.
          length: places of a window.
          inner: values of all heads of a device.
        """
        return []


class Learned(NoPositions):
    """A table of `max_length` rows, added to the embeddings."""

    title = "learned"
    embedding_names = tables = ("positions",)

    @property
    def longest(self) -> int | None:
        return self.model.max_length

    def embedding_parameters(self, rngs: nnx.Rngs) -> dict[str, nnx.Param]:
        table = normal(self.model.embedding_scale)
        return {"positions": parameter(rngs, (self.model.max_length, self.model.width), ("places", "embed"), table)}

    def embed(
        self, weights: Weights, x: Float[Array, "tokens width"], positions: Int[Array, "tokens"]
    ) -> Float[Array, "tokens width"]:
        return x + weights["positions"][positions]


class Rotary(NoPositions):
    """Rotary embedding (Su et al. 2021)."""

    title = "rotary"

    def turn(self, heads: Heads, positions: Int[Array, "rows places"]) -> Heads:
        return rotate(heads, positions)

    def products(self, *, queries: float, keys: float, length: int, inner: float, on_tpu: bool) -> list[Product]:
        # There the halves of each head are swapped by a matrix.
        swaps = 2 * (queries + keys) * inner * self.model.head_size
        return [Product(swaps, backward=1, kept="qkv", needed=False)] if on_tpu else []


class TransformerXL(NoPositions):
    """Relative scores (Dai et al. 2019): a projected table of distances, a bias of content and one of position."""

    title = "Transformer-XL"
    attention_names = ("relative", "content_bias", "position_bias")
    vectors = ("content_bias", "position_bias")
    adds_scores = True
    keeps_query = False

    def attention_parameters(self, rngs: nnx.Rngs) -> dict[str, nnx.Param]:
        inner = self.model.heads * self.model.head_size
        return {
            "relative": parameter(rngs, (self.model.width, inner), ("embed", "heads"), fan_in()),
            "content_bias": parameter(rngs, (inner,), ("heads",), constant(0.0)),
            "position_bias": parameter(rngs, (inner,), ("heads",), constant(0.0)),
        }

    def content(self, weights: Weights, query: Flat) -> Flat:
        return query + weights["content_bias"][None]

    def distances(self, weights: Weights, length: int) -> Distances:
        heads, size, projection = self.model.heads, self.model.head_size, weights["relative"]
        table = distance_table(length, projection.shape[0]).astype(projection.dtype) @ projection
        return table.reshape(-1, heads, size).transpose(1, 0, 2)

    def added_scores(
        self, weights: Weights, query: Flat, places: Places, split: Split, distances: Distances | None = None
    ) -> Scores:
        distances = self.distances(weights, places.keys) if distances is None else distances
        return relative_scores(split(query + weights["position_bias"][None]), distances, places)

    def products(self, *, queries: float, keys: float, length: int, inner: float, on_tpu: bool) -> list[Product]:
        # The table of distances is a constant: its projection has a gradient for the weights only.
        projected = 2 * length * self.model.width * inner
        return [
            Product(2 * queries * length * inner, causal=True),
            Product(projected, backward=1, needed=False, shared=True),
        ]


SCHEMES: Mapping[Positions, type[NoPositions]] = {
    Positions.NONE: NoPositions,
    Positions.LEARNED: Learned,
    Positions.ROTARY: Rotary,
    Positions.TRANSFORMER_XL: TransformerXL,
}


def scheme_of(model: ModelConfig) -> NoPositions:
    """The scheme of a network."""
    return SCHEMES[model.positions](model)


def rotate(x: Heads, positions: Int[Array, "rows places"]) -> Heads:
    """Pairs (i, i + size/2) turned by position / 10000^(2i/size) (Su et al. 2021)."""
    half = x.shape[-1] // 2
    frequency = 10_000.0 ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = positions.astype(jnp.float32)[:, None, :, None] * frequency[None, None, None]
    cos, sin = jnp.tile(jnp.cos(angle), 2), jnp.tile(jnp.sin(angle), 2)
    if sharding.context_platform() == "tpu":
        # The other half comes by a matrix of 0, 1 and -1, exactly: slices of half a head would be copies there.
        swap = jnp.eye(2 * half, k=half, dtype=x.dtype) - jnp.eye(2 * half, k=-half, dtype=x.dtype)
        other = jax.lax.dot_general(x, swap, (((3,), (0,)), ((), ())), preferred_element_type=jnp.float32)
        return (x.astype(jnp.float32) * cos + other * sin).astype(x.dtype)
    y = x.astype(jnp.float32)
    other = jnp.concatenate([-y[..., half:], y[..., :half]], -1)
    return (y * cos + other * sin).astype(x.dtype)


def distance_table(length: int, width: int) -> Float[Array, "length width"]:
    """Sinusoids of the distances 0..length-1 between query and key (Dai et al. 2019, appendix B)."""
    frequency = 10_000.0 ** (-jnp.arange(0, width, 2, dtype=jnp.float32) / width)
    angle = jnp.arange(length, dtype=jnp.float32)[:, None] * frequency[None]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], -1)


def relative_scores(
    query: Float[Array, "rows heads queries size"], distances: Float[Array, "heads keys size"], places: Places
) -> Float[Array, "rows heads queries keys"]:
    """q . r(i - j) / sqrt(size): Transformer-XL's position term (Dai et al. 2019, equation for A_rel, terms b and d).

    Args:
      query: queries plus the bias v.
      distances: r of the distances 0, 1, ... as projected by this layer. Where `places` are square, the table is
        skewed by a pad and a reshape instead of a gather.
    """
    scale = 1 / math.sqrt(query.shape[-1])
    if places.square:
        distances = distances[:, ::-1]
    scores = jnp.einsum("rhqd,hkd->rhqk", query, distances, preferred_element_type=jnp.float32) * scale
    if places.square:
        rows, heads, length, _ = scores.shape
        padded = jnp.pad(scores, ((0, 0), (0, 0), (0, 0), (1, 0)))
        return padded.reshape(rows, heads, length + 1, length)[:, :, 1:]
    distance = places.query_index[:, :, None] - places.key_indices()[:, None]
    distance = jnp.clip(distance, 0, distances.shape[1] - 1)
    return jnp.take_along_axis(scores, distance[:, None], axis=-1)
