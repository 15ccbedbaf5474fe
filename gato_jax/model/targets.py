"""The places that predict a target: logits, and most of the last block, are computed only there."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from data_pipelines.schema import RowGroup


class TargetHidden(NamedTuple):
    """Hidden vectors at the places that predict a loss place, and what they should predict."""

    hidden: Float[Array, "n t width"]
    chosen: Int[Array, "n t"]
    """Place in the segment of each vector; its target stands one further."""
    targets: Int[Array, "n t"]
    weights: Float[Array, "n t"]
    """Loss mask of the target; 0 where a segment has fewer targets than the budget."""
    token_type: Int[Array, "n t"]
    """`TokenType` of the target's place."""


@dataclasses.dataclass(frozen=True)
class Targets:
    """What the segments of one row group should predict, and where.

    Args:
      chosen, weights: as `target_places` gives them.
      targets, token_type: of the place after each chosen one.
      everywhere: every place is chosen, in order.
    """

    chosen: Int[Array, "n t"]
    weights: Float[Array, "n t"]
    targets: Int[Array, "n t"]
    token_type: Int[Array, "n t"]
    everywhere: bool

    @classmethod
    def of(cls, batch: Mapping[str, Array], group: RowGroup) -> "Targets":
        """Those of a batch, at most `group.target_budget` a segment."""
        names = ("loss_mask", "segment_ids", "targets", "token_type")
        fold = {name: batch[name].reshape(-1, group.segment_length) for name in names}
        chosen, weights = target_places(fold["loss_mask"], fold["segment_ids"], budget=group.target_budget)
        following = jnp.minimum(chosen + 1, group.segment_length - 1)
        targets, kinds = (jnp.take_along_axis(fold[name], following, axis=1) for name in ("targets", "token_type"))
        return cls(chosen, weights, targets, kinds, everywhere=chosen.shape == fold["targets"].shape)

    def with_hidden(self, hidden: Float[Array, "queries width"]) -> "TargetHidden":
        return TargetHidden(
            hidden.reshape(*self.chosen.shape, -1), self.chosen, self.targets, self.weights, self.token_type
        )


def target_places(
    loss_mask: Float[Array, "n s"], segment_ids: Int[Array, "n s"], *, budget: int
) -> tuple[Int[Array, "n chosen"], Float[Array, "n chosen"]]:
    """Places whose next place, in the same segment, carries loss: their indices in order, and that loss mask.

    Rows with fewer than `budget` repeat place 0 with weight 0. A budget of all places gives each place itself.
    """
    inside = segment_ids[:, 1:] == segment_ids[:, :-1]
    weight = jnp.where(inside, loss_mask[:, 1:], 0)
    if budget >= weight.shape[1]:
        place = jnp.broadcast_to(jnp.arange(loss_mask.shape[1], dtype=jnp.int32), loss_mask.shape)
        return place, jnp.pad(weight, ((0, 0), (0, 1)))
    wanted = weight > 0
    slot = jnp.where(wanted, jnp.cumsum(wanted, axis=1) - 1, budget)
    place = jnp.broadcast_to(jnp.arange(weight.shape[1], dtype=jnp.int32), weight.shape)
    scatter = jax.vmap(lambda slots, values: jnp.zeros(budget, values.dtype).at[slots].set(values, mode="drop"))
    return scatter(slot, place), scatter(slot, weight)
