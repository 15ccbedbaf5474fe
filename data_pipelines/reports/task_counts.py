"""What is counted of tasks: for each row of Table 1, for each suite, and over all suites."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from data_pipelines.mixtures.table1 import Row
from data_pipelines.suites.base.suite import Suite

OTHER = "not of Table 1"


@dataclasses.dataclass(frozen=True)
class ListedTask:
    """One task.

    Args:
      name, domain: ours.
      row: the row of Table 1 that it stands for, or `OTHER`.
      source: where its data can come from.
      environment: the world as its suite calls it; "" where none can be made here.
      expert: who demonstrates; the paper's where we have none.
      recordable: whether `gato record` records it on this machine.
      runnable: whether its world can be made on this machine.
      installed: whether its simulator is installed; None where we have no use of it.
      demonstrated: whether somebody here demonstrates it, installed or not.
      default: recorded when no tasks are named.
      held_out: kept out of mixtures, as the paper does.
      present: whether it lies in the data directory.
      weight: percent of the sequences of the mixture `gato` over the data directory, 0 where absent.
      measured: whether its expert has a score under experiments/results/experts.
      licence: of its texts or pictures; "" for worlds.
      ran: whether it reset, stepped and drew when it was last tried (`benchmarks.worlds`); None where nobody tried.
    """

    name: str
    domain: str
    row: str
    source: str
    environment: str
    expert: str
    recordable: bool
    runnable: bool
    installed: bool | None
    demonstrated: bool
    default: bool
    held_out: bool
    present: bool = False
    weight: float = 0.0
    measured: bool = False
    ran: bool | None = None
    licence: str = ""


@dataclasses.dataclass(frozen=True)
class RowCount:
    """A row of Table 1, and its tasks that the paper does not hold out.

    Args:
      row, weight, public: as in `mixtures.table1.Row`.
      paper: how many the paper has; None for sets of text and pictures, which it does not count in tasks.
      named: how many are named here, by the row's list or by what is in the data directory.
      runnable: whose world can be made on this machine.
      recordable: that `gato record` records on this machine.
      measured: whose expert has a score.
      present: that are in the data directory.
    """

    row: str
    weight: float
    public: str
    paper: int | None
    named: int
    runnable: int
    recordable: int
    measured: int
    present: int


@dataclasses.dataclass(frozen=True)
class SuiteCount:
    """A suite of worlds.

    Args:
      domain: first part of its tasks' names.
      install: what to type for it; "" where the package itself brings it.
      names: how many tasks it has.
      counted: those that count: none where they are other modes of another suite's.
      runnable: counted ones whose world can be made on this machine.
      ran: counted ones that reset, stepped and drew when they were last tried.
      demonstrated: counted ones with an expert, installed or not.
      measured: counted ones whose expert has a score.
      steps_per_second, frames_per_second: medians over those that ran; None where none did.
    """

    domain: str
    install: str
    names: int
    counted: int
    runnable: int
    ran: int
    demonstrated: int
    measured: int
    steps_per_second: float | None = None
    frames_per_second: float | None = None


def of_row(row: Row, tasks: Iterable[ListedTask]) -> RowCount:
    """Counts one row."""
    own = [task for task in tasks if task.row == row.name and not task.held_out]
    return RowCount(
        row=row.name,
        weight=row.weight,
        public=row.public,
        paper=row.tasks,
        named=len(own),
        runnable=sum(task.runnable for task in own),
        recordable=sum(task.recordable for task in own),
        measured=sum(task.measured for task in own),
        present=sum(task.present for task in own),
    )


def of_suite(suite: Suite, tasks: Iterable[ListedTask], tried: Mapping[str, Mapping[str, Any]]) -> SuiteCount:
    """Counts one suite."""
    names = {task.name for task in suite.tasks}
    own = [task for task in tasks if task.name in names]
    counted = own if suite.counts else []
    rates = [tried[task.name] for task in own if task.ran]
    return SuiteCount(
        domain=suite.domain,
        install=suite.hint,
        names=len(own),
        counted=len(counted),
        runnable=sum(task.runnable for task in counted),
        ran=sum(bool(task.ran) for task in counted),
        demonstrated=sum(task.demonstrated for task in counted),
        measured=sum(task.measured for task in counted),
        steps_per_second=_median(rate["steps_per_second"] for rate in rates),
        frames_per_second=_median(rate["frames_per_second"] for rate in rates),
    )


def total(suites: Sequence[SuiteCount]) -> SuiteCount:
    """The sums over all suites; speeds have none."""
    fields = ("names", "counted", "runnable", "ran", "demonstrated", "measured")
    return SuiteCount("all", "", *(sum(getattr(suite, field) for suite in suites) for field in fields))


def _median(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return statistics.median(numbers) if numbers else None
