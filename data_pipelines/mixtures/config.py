"""Which tasks are mixed, at which rates, and in which row groups. No TensorFlow."""

import dataclasses
import difflib
import itertools
from collections.abc import Mapping

from data_pipelines.ranges import Count, Natural, NotNegative, check_fields
from data_pipelines.schema import RowGroup


@dataclasses.dataclass(frozen=True)
class Phase:
    """Weights from a step on, until the next phase.

    Args:
      step: first step of the phase, a multiple of `stream.reseed_every`.
      weights: of every task of the mixture; 0 leaves a task out of the phase.
    """

    step: Natural
    weights: Mapping[str, NotNegative]


@dataclasses.dataclass(frozen=True)
class MixtureConfig:
    """Declared weights of tasks and the row groups that hold them.

    Args:
      weights: weight of each task in rows; any positive scale. With a schedule, those of its beginning, and a task that
        comes later has 0.
      groups: name -> rows of one shape. Every task of `weights` is in exactly one group.
      rows_per_step: rows of a global batch, dealt to the groups in proportion to their weights.
      schedule: weights that follow, in order of their steps.
      named: a mixture of `mixtures.named`, or a YAML file, that gives weights and schedule as soon as the data is there
        (`resolve_mixture`); then groups may hold patterns of tasks such as "dm_control.*", and a group's patches are
        fitted to its tasks. "" = the weights above.
      renormalise: whether the shares of what a named mixture lacks here are dealt over the rest.

    Examples:
      >>> from data_pipelines import MixtureConfig, RowGroup
      >>> groups = {"control": RowGroup(("mine.walk",)), "text": RowGroup(("text.notes",))}
      >>> mixture = MixtureConfig({"mine.walk": 3, "text.notes": 1}, groups, rows_per_step=16)
      >>> mixture.rows(virtual_shards=4)
      {'control': 12, 'text': 4}
    """

    weights: Mapping[str, NotNegative]
    groups: Mapping[str, RowGroup]
    rows_per_step: Count
    schedule: tuple[Phase, ...] = ()
    named: str = ""
    renormalise: bool = False

    def __post_init__(self):
        check_fields(self, "mixture")
        for task in {*self.weights, *(task for group in self.groups.values() for task in group.tasks)}:
            if not task or not task.isprintable() or task != task.strip():
                raise ValueError(
                    f"mixture: the name of a task must be one line of printable characters without spaces around it, "
                    f"found {task!r}"
                )
        for name, group in self.groups.items():
            if group.patches > group.length:
                raise ValueError(
                    f"mixture.groups[{name!r}].patches: each patch takes a place, so at most windows x window_length "
                    f"= {group.length} are expected, found {group.patches}"
                )
        if self.named and self.groups:
            return  # Weights and tasks of groups come with the data.
        if not self.weights or not self.groups:
            raise ValueError("mixture needs at least one task in weights and one group, found none")
        for task, weight in self.weights.items():
            if not weight and not self.schedule:
                raise ValueError(f"mixture.weights[{task!r}] must be positive, found {weight}")
        grouped = [task for group in self.groups.values() for task in group.tasks]
        twice = sorted({task for task in grouped if grouped.count(task) > 1})
        if twice:
            raise ValueError(f"mixture.groups: each task belongs to one group, found {twice} more than once")
        for task in sorted(set(grouped) ^ set(self.weights)):
            where, other = ("weights", "groups") if task in self.weights else ("groups", "weights")
            near = difflib.get_close_matches(task, sorted(grouped if task in self.weights else self.weights), n=3)
            raise ValueError(f"mixture.{where} has task {task!r}, which mixture.{other} lacks; nearest there: {near}")
        steps = [0, *(phase.step for phase in self.schedule)]
        if any(late <= early for early, late in itertools.pairwise(steps)):
            raise ValueError(f"mixture.schedule: steps must rise from above 0, found {steps[1:]}")
        for phase in self.schedule:
            self.check_weights(phase.weights, f"mixture.schedule, step {phase.step}")
        if self.schedule:
            self.check_weights(self.weights, "mixture.weights")
            never = sorted(
                t for t in self.weights if not any(p.weights[t] for p in self.schedule) and not self.weights[t]
            )
            if never:
                raise ValueError(
                    f"mixture.schedule: expected every task in some phase, found weight 0 in all for {never}"
                )

    def check_weights(self, weights: Mapping[str, float], where: str = "weights") -> None:
        """Raises `ValueError` naming `where` unless every task has a weight >= 0, and every group one above 0."""
        for task in sorted(set(weights) ^ set(self.weights)):
            near = difflib.get_close_matches(task, sorted(self.weights), n=3)
            state = "lacks" if task in self.weights else "has the unknown"
            raise ValueError(f"{where}: {state} task {task!r}; nearest in mixture.weights: {near}")
        for task, weight in weights.items():
            if not 0 <= weight < float("inf"):
                raise ValueError(f"{where}: weight of {task!r} must not be negative, found {weight}")
        for name, group in self.groups.items():
            if not any(weights[task] for task in group.tasks):
                raise ValueError(f"{where}: row group {name!r} needs a task with a positive weight, found none")

    def weight_table(self, reseed_every: int) -> list[tuple[int, dict[str, float]]]:
        """(first segment, weights) of each phase. Raises `ValueError` for a phase that begins inside a segment."""
        table = [(0, dict(self.weights))]
        for phase in self.schedule:
            if phase.step % reseed_every:
                low = phase.step // reseed_every * reseed_every
                raise ValueError(
                    f"mixture.schedule: weights change between segments of stream.reseed_every = {reseed_every} "
                    f"steps, found step {phase.step}; nearest: {[low, low + reseed_every] if low else [reseed_every]}"
                )
            table.append((phase.step // reseed_every, dict(phase.weights)))
        return table

    @property
    def task_names(self) -> tuple[str, ...]:
        """Sorted; `task_id` counts in this order."""
        return tuple(sorted(self.weights))

    def shares(self, weights: Mapping[str, float] | None = None) -> dict[str, float]:
        """Share of each task in the rows as declared, or by other weights."""
        weights = self.weights if weights is None else weights
        total = sum(weights.values())
        return {task: weight / total for task, weight in sorted(weights.items())}

    def shares_over(self, steps: int) -> dict[str, float]:
        """Mean share of each task in the rows of the first `steps` steps, by the schedule."""
        begins = [(0, self.weights), *((phase.step, phase.weights) for phase in self.schedule)]
        ends = [*(min(step, steps) for step, _ in begins[1:]), steps]
        mean = dict.fromkeys(self.task_names, 0.0)
        for (begin, weights), end in zip(begins, ends, strict=True):
            for task, share in self.shares(weights).items():
                mean[task] += share * max(0, end - begin) / steps
        return mean

    def group_of(self, task: str) -> str:
        return next(name for name, group in self.groups.items() if task in group.tasks)

    def rows(self, virtual_shards: int, weights: Mapping[str, float] | None = None) -> dict[str, int]:
        """Rows per step of each group: proportional to its weights, a positive multiple of `virtual_shards`.

        Args:
          virtual_shards: V.
          weights: those of the step in question; None = those of the beginning.

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
        shares = self.shares(weights)
        exact = {name: blocks * sum(shares[task] for task in group.tasks) for name, group in self.groups.items()}
        dealt = {name: max(1, int(share)) for name, share in exact.items()}
        while sum(dealt.values()) != blocks:  # Largest remainders, and never less than one block.
            step = 1 if sum(dealt.values()) < blocks else -1
            open_to_change = [name for name in dealt if step > 0 or dealt[name] > 1]
            best = max(open_to_change, key=lambda name: (step * (exact[name] - dealt[name]), name))
            dealt[best] += step
        return {name: count * virtual_shards for name, count in dealt.items()}

    def scheduled_rows(self, virtual_shards: int) -> list[dict[str, int]]:
        """The different `rows` that the schedule leads to, those of the beginning first."""
        distinct_rows: list[dict[str, int]] = []
        for weights in (self.weights, *(phase.weights for phase in self.schedule)):
            rows = self.rows(virtual_shards, weights)
            distinct_rows += [rows] if rows not in distinct_rows else []
        return distinct_rows

    def realised_shares(self, virtual_shards: int, weights: Mapping[str, float] | None = None) -> dict[str, float]:
        """Share of each task in the rows as dealt; differs from the declared one by the rounding of `rows`."""
        rows, shares = self.rows(virtual_shards, weights), self.shares(weights)
        realised: dict[str, float] = {}
        for name, group in self.groups.items():
            inside = sum(shares[task] for task in group.tasks)
            realised |= {task: rows[name] / self.rows_per_step * shares[task] / inside for task in group.tasks}
        return dict(sorted(realised.items()))

    def loss_weights(self, rows: Mapping[str, int]) -> dict[str, float]:
        """Share in the loss of each group with so many rows; they sum to one."""
        raw = {
            name: rows[name] / self.rows_per_step if group.loss_weight is None else group.loss_weight
            for name, group in self.groups.items()
        }
        total = sum(raw.values())
        return {name: weight / total for name, weight in raw.items()}
