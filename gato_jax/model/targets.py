"""The places that predict a target: logits, and most of the last block, are computed only there."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from data_pipelines.schema import RowGroup


class TargetHidden(NamedTuple):
    """Hidden vectors at the places that predict a loss place, and what they should predict."""

    hidden: Float[Array, "n t width"]
    chosen: Int[Array, "n t"]
    """Place in the window of each vector; its target stands at the next place that is no padding."""
    targets: Int[Array, "n t"]
    weights: Float[Array, "n t"]
    """Loss mask of the target; 0 where a window has fewer targets than the budget."""
    token_type: Int[Array, "n t"]
    """`TokenType` of the target's place."""


@dataclasses.dataclass(frozen=True)
class Targets:
    """What the windows of one row group should predict, and where.

    Args:
      chosen, weights: as `target_places` gives them.
      targets, token_type: of the place that each chosen one predicts.
      everywhere: every place is chosen, in order.
    """

    chosen: Int[Array, "n t"]
    weights: Float[Array, "n t"]
    targets: Int[Array, "n t"]
    token_type: Int[Array, "n t"]
    everywhere: bool

    @classmethod
    def of(cls, batch: Mapping[str, Array], group: RowGroup) -> "Targets":
        """Those of a batch, at most `group.target_budget` a window."""
        names = ("loss_mask", "segment_ids", "targets", "token_type")
        fold = {name: batch[name].reshape(-1, group.window_length) for name in names}
        chosen, weights = target_places(fold["loss_mask"], fold["segment_ids"], budget=group.target_budget)
        last = group.window_length - 1
        following = jnp.minimum(jnp.take_along_axis(next_places(fold["segment_ids"]), chosen, axis=1), last)
        targets, kinds = (jnp.take_along_axis(fold[name], following, axis=1) for name in ("targets", "token_type"))
        return cls(chosen, weights, targets, kinds, everywhere=chosen.shape == fold["targets"].shape)

    def with_hidden(self, hidden: Float[Array, "queries width"]) -> "TargetHidden":
        return TargetHidden(
            hidden.reshape(*self.chosen.shape, -1), self.chosen, self.targets, self.weights, self.token_type
        )


def next_places(segment_ids: Int[Array, "n s"]) -> Int[Array, "n s"]:
    """Of each place the next one that is no padding, which is what it predicts; `s` where none is left.

    A textual observation leaves places unused, so padding stands inside of sequences too.
    """
    length = segment_ids.shape[1]
    place = jnp.where(segment_ids > 0, jnp.arange(length, dtype=jnp.int32)[None], length)
    after = jnp.pad(place[:, 1:], ((0, 0), (0, 1)), constant_values=length)
    return jax.lax.cummin(after, axis=1, reverse=True)


def count_targets(loss_mask: Float[np.ndarray, "n s"], segment_ids: Int[np.ndarray, "n s"]) -> Int[np.ndarray, " n"]:
    """How many places of each window carry loss and have one of their own sequence before them. On the host."""
    place = np.where(segment_ids > 0, np.arange(segment_ids.shape[1]), -1)
    before = np.pad(np.maximum.accumulate(place, axis=1)[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    same = np.take_along_axis(segment_ids, np.maximum(before, 0), axis=1) == segment_ids
    return ((loss_mask > 0) & (place >= 0) & (before >= 0) & same).sum(axis=1)


def target_places(
    loss_mask: Float[Array, "n s"], segment_ids: Int[Array, "n s"], *, budget: int
) -> tuple[Int[Array, "n chosen"], Float[Array, "n chosen"]]:
    """Places whose `next_places`, in the same sequence, carry loss: their indices in order, and that loss mask.

    Rows with fewer than `budget` repeat place 0 with weight 0. A budget of all places gives each place itself.
    """
    length = loss_mask.shape[1]
    following = next_places(segment_ids)
    there = jnp.minimum(following, length - 1)
    mask, segment = (jnp.take_along_axis(field, there, axis=1) for field in (loss_mask, segment_ids))
    weight = jnp.where((following < length) & (segment == segment_ids), mask, 0)
    place = jnp.broadcast_to(jnp.arange(length, dtype=jnp.int32), weight.shape)
    if budget >= length - 1:
        return place, weight
    is_target = weight > 0
    slot = jnp.where(is_target, jnp.cumsum(is_target, axis=1) - 1, budget)
    scatter = jax.vmap(lambda slots, values: jnp.zeros(budget, values.dtype).at[slots].set(values, mode="drop"))
    return scatter(slot, place), scatter(slot, weight)
