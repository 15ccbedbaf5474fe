"""Where queries and keys stand: in one row group, and in several that the network runs in one pass."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from data_pipelines.vocabulary import TokenType


@dataclasses.dataclass(frozen=True)
class Places:
    """Where queries and keys stand: all that attention needs to know of the sequence besides its content.

    A query sees a key of its own segment that is not padding and not after it. Queries of padding see padding's
    segment only, which has no keys: their output is finite and nobody reads it.
    """

    query_index: Int[Array, "rows queries"]
    query_segments: Int[Array, "rows queries"]
    query_positions: Int[Array, "rows queries"]
    key_segments: Int[Array, "rows keys"]
    """Segment of each key, 0 where it is padding."""
    square: bool = False
    """The queries are all the places of the keys, in order."""
    key_index: Int[Array, "rows keys"] | None = None
    """Index of each key in the sequence; None = 0, 1, 2, ..."""

    @classmethod
    def of_segments(cls, fields: Mapping[str, Array]) -> "Places":
        """Every place of windows [n, S], from their `token_type`, `positions` and `segment_ids`."""
        segments = fields["segment_ids"]
        index = jnp.arange(segments.shape[1], dtype=jnp.int32)
        return cls(
            query_index=jnp.broadcast_to(index, segments.shape),
            query_segments=segments,
            query_positions=fields["positions"],
            key_segments=jnp.where(fields["token_type"] == TokenType.PADDING, 0, segments),
            square=True,
        )

    @property
    def rows(self) -> int:
        return self.query_index.shape[0]

    @property
    def queries(self) -> int:
        return self.query_index.shape[1]

    @property
    def keys(self) -> int:
        return self.key_segments.shape[1]

    def select(self, chosen: Int[Array, "rows chosen"]) -> "Places":
        """The same keys, and only the queries at these indices."""
        take = lambda x: jnp.take_along_axis(x, chosen, axis=1)  # noqa: E731
        return dataclasses.replace(
            self,
            query_index=take(self.query_index),
            query_segments=take(self.query_segments),
            query_positions=take(self.query_positions),
            square=False,
        )

    def key_indices(self) -> Int[Array, "one_or_rows keys"]:
        """Index of each key in the sequence, one row for all where they are equal."""
        return jnp.arange(self.keys, dtype=jnp.int32)[None] if self.key_index is None else self.key_index

    def visible(self) -> Bool[Array, "rows queries keys"]:
        causal = self.query_index[:, :, None] >= self.key_indices()[:, None, :]
        same = self.query_segments[:, :, None] == self.key_segments[:, None, :]
        return causal & same & (self.key_segments > 0)[:, None, :]


@dataclasses.dataclass(frozen=True)
class JointPlaces:
    """The places of one or more row groups whose tokens stand behind each other in [tokens, width].

    Only attention tells the groups apart; all else is one big multiplication, which is faster and compiles faster than
    one for each group.

    Args:
      groups: places of each.
      chosen: for each group, indices of the places of each row at which the last block's output is wanted; None = all.
    """

    groups: tuple[Places, ...]
    chosen: tuple[Int[Array, "rows chosen"], ...] | None = None

    def split(self, x: Float[Array, "tokens width"]) -> list[Float[Array, "some width"]]:
        """The tokens of each group."""
        return jnp.split(x, np.cumsum([group.rows * group.queries for group in self.groups])[:-1])

    def choose(self, x: Float[Array, "tokens width"]) -> Float[Array, "queries width"]:
        """The tokens at the chosen places."""
        if self.chosen is None:
            return x
        parts = []
        for piece, group, some in zip(self.split(x), self.groups, self.chosen, strict=True):
            folded = piece.reshape(group.rows, group.queries, -1)
            parts.append(jnp.take_along_axis(folded, some[:, :, None], axis=1).reshape(some.size, -1))
        return jnp.concatenate(parts)

    def queries(self) -> "JointPlaces":
        """The same keys, and only the chosen places as queries."""
        if self.chosen is None:
            return self
        return JointPlaces(tuple(group.select(some) for group, some in zip(self.groups, self.chosen, strict=True)))

    def spread(self, per_row: Sequence[Float[Array, "rows"]]) -> Float[Array, "tokens 1"]:
        """A factor for each row of each group, at all of its tokens."""
        pairs = zip(per_row, self.groups, strict=True)
        return jnp.concatenate([jnp.repeat(one, group.queries) for one, group in pairs])[:, None]
