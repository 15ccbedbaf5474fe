"""Which tasks are mixed, at which rates, and in which row groups. No TensorFlow."""

import dataclasses
import difflib
from collections.abc import Mapping

from data_pipelines.schema import RowGroup


@dataclasses.dataclass(frozen=True)
class MixtureConfig:
    """Declared weights of tasks and the row groups that hold them.

    Args:
      weights: weight of each task in rows; any positive scale.
      groups: name -> rows of one shape. Every task of `weights` is in exactly one group.
      rows_per_step: rows of a global batch, dealt to the groups in proportion to their weights.
    """

    weights: Mapping[str, float]
    groups: Mapping[str, RowGroup]
    rows_per_step: int

    def __post_init__(self):
        if not self.weights or not self.groups:
            raise ValueError("mixture needs at least one task in weights and one group, found none")
        for task, weight in self.weights.items():
            if not 0 < weight < float("inf"):
                raise ValueError(f"mixture.weights[{task!r}] must be positive, found {weight}")
        grouped = [task for group in self.groups.values() for task in group.tasks]
        twice = sorted({task for task in grouped if grouped.count(task) > 1})
        if twice:
            raise ValueError(f"mixture.groups: each task belongs to one group, found {twice} more than once")
        for task in sorted(set(grouped) ^ set(self.weights)):
            where, other = ("weights", "groups") if task in self.weights else ("groups", "weights")
            near = difflib.get_close_matches(task, sorted(grouped if task in self.weights else self.weights), n=3)
            raise ValueError(f"mixture.{where} has task {task!r}, which mixture.{other} lacks; nearest there: {near}")

    @property
    def task_names(self) -> tuple[str, ...]:
        """Sorted; `task_id` counts in this order."""
        return tuple(sorted(self.weights))

    @property
    def declared_shares(self) -> dict[str, float]:
        """Share of each task in the rows, as declared."""
        total = sum(self.weights.values())
        return {task: weight / total for task, weight in sorted(self.weights.items())}

    def group_of(self, task: str) -> str:
        return next(name for name, group in self.groups.items() if task in group.tasks)

    def rows(self, virtual_shards: int) -> dict[str, int]:
        """Rows per step of each group: proportional to its weights, a positive multiple of `virtual_shards`.

        Raises:
          ValueError: naming the nearest possible numbers of rows.
        """
        total, blocks = self.rows_per_step, self.rows_per_step // virtual_shards
        if total % virtual_shards or blocks < len(self.groups):
            smallest = virtual_shards * len(self.groups)
            near = sorted({max(smallest, blocks * virtual_shards), max(smallest, (blocks + 1) * virtual_shards)})
            raise ValueError(
                f"mixture.rows_per_step = {total} cannot be dealt to {len(self.groups)} groups in multiples of "
                f"stream.virtual_shards = {virtual_shards}; nearest possible: {near}"
            )
        shares = self.declared_shares
        exact = {name: blocks * sum(shares[task] for task in group.tasks) for name, group in self.groups.items()}
        dealt = {name: max(1, int(share)) for name, share in exact.items()}
        while sum(dealt.values()) != blocks:  # Largest remainders, and never less than one block.
            step = 1 if sum(dealt.values()) < blocks else -1
            open_to_change = [name for name in dealt if step > 0 or dealt[name] > 1]
            best = max(open_to_change, key=lambda name: (step * (exact[name] - dealt[name]), name))
            dealt[best] += step
        return {name: count * virtual_shards for name, count in dealt.items()}

    def realised_shares(self, virtual_shards: int) -> dict[str, float]:
        """Share of each task in the rows as dealt; differs from the declared one by the rounding of `rows`."""
        rows, shares = self.rows(virtual_shards), self.declared_shares
        realised: dict[str, float] = {}
        for name, group in self.groups.items():
            inside = sum(shares[task] for task in group.tasks)
            realised |= {task: rows[name] / self.rows_per_step * shares[task] / inside for task in group.tasks}
        return dict(sorted(realised.items()))

    def loss_weights(self, virtual_shards: int) -> dict[str, float]:
        """Share of each group in the loss; they sum to one."""
        rows = self.rows(virtual_shards)
        raw = {
            name: rows[name] / self.rows_per_step if group.loss_weight is None else group.loss_weight
            for name, group in self.groups.items()
        }
        total = sum(raw.values())
        return {name: weight / total for name, weight in raw.items()}
