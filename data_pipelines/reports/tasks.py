"""Every task of Table 1 that a public source names, and every other task that is here: `gato tasks`."""

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any

from data_pipelines.mixtures import named as named_mixtures
from data_pipelines.mixtures.table1 import ROWS, Row
from data_pipelines.mixtures.table1_names import NAMES
from data_pipelines.spec import World
from data_pipelines.storage.recorded_tasks import language_tasks, recorded_tasks, recorded_worlds
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.catalog import catalog

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
      installed: whether its simulator is installed; None where we have no use of it.
      default: recorded when no tasks are named.
      held_out: kept out of mixtures, as the paper does.
      present: whether it lies in the data directory.
      weight: percent of the sequences of the mixture `gato` over the data directory, 0 where absent.
    """

    name: str
    domain: str
    row: str
    source: str
    environment: str
    expert: str
    recordable: bool
    installed: bool | None
    default: bool
    held_out: bool
    present: bool
    weight: float


@dataclasses.dataclass(frozen=True)
class RowCount:
    """A row of Table 1 and how many of its tasks are named, recordable and present.

    `paper` is None for sets of text and pictures, which the paper does not count in tasks.
    """

    row: str
    weight: float
    public: str
    paper: int | None
    named: int
    recordable: int
    present: int


@dataclasses.dataclass(frozen=True)
class TaskList:
    """The tasks, in the order of Table 1, and the count of each row."""

    tasks: tuple[ListedTask, ...]
    rows: tuple[RowCount, ...]
    directory: str

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def table(self, *, everything: bool = True) -> str:
        """For a terminal: what is here, what can be recorded here, and the rows of Table 1.

        Args:
          everything: also every task that is neither here nor can be recorded here.
        """
        here = [task for task in self.tasks if task.present]
        recordable = [task for task in self.tasks if task.recordable and not task.present]
        recordable.sort(key=lambda task: not task.default)
        others = [task for task in self.tasks if not task.present and not task.recordable]
        lines = [f"In {self.directory}, with its share of the mixture gato:", *map(_line, here)]
        if not here:
            lines.append("  nothing yet")
        if recordable:
            lines += ["", "Can be recorded here (gato record --tasks NAME; * = without --tasks too):"]
            lines += map(_line, recordable)
        more = "" if everything or not others else "; --all lists them, --row ROW those of a row"
        lines += ["", f"Table 1; named in public, to be imported: {len(others)} more{more}"]
        counts = {count.row: count for count in self.rows}
        for row in dict.fromkeys([*counts, *(task.row for task in others)]):
            lines.append(f"{row}: {_summary(counts[row])}" if row in counts else row)
            if everything:
                lines += [_line(task) for task in others if task.row == row]
        return "\n".join(lines)


def _line(task: ListedTask) -> str:
    share = f"{task.weight:.2f} %" if task.present else ""
    missing = " (not installed)" if task.installed is False else ""
    notes = ["held out" * task.held_out, task.environment + missing, f"expert: {task.expert}" if task.expert else ""]
    note = "; ".join(note for note in notes if note)
    return f"{'*' if task.default and task.recordable else '':1} {task.name:<44} {share:>7} {note}".rstrip()


def _summary(count: RowCount) -> str:
    if count.paper is None:
        return f"{count.weight} %; {count.public}"
    named = f"tasks: {count.named} named in public, {count.paper} in the paper, {count.recordable} recordable"
    return f"{count.weight} %; {named}; {count.public}"


def list_tasks(data: str | pathlib.Path | None = None, *, row: str = "") -> TaskList:
    """All tasks, or those of one row of Table 1.

    Args:
      data: data directory; None, or one that is absent, has nothing.
      row: a row's name, or that of its mixture ("ALE Atari", "ale_atari"); "" = all.

    Raises:
      MixtureError: no such row.
    """
    present = recorded_tasks(data) if data is not None and pathlib.Path(data).exists() else []
    languages = language_tasks(data, present) if data is not None and present else []
    worlds = recorded_worlds(data, present) if data is not None and present else {}
    shares = named_mixtures.resolve("gato", present)
    weights = shares.weights(renormalise=True) if shares.shares else {}
    suite_tasks = catalog()
    tasks = []
    for name in dict.fromkeys([*(name for names in NAMES.values() for name in names), *suite_tasks, *present]):
        of = _row(name)
        tasks.append(
            _listed(
                name,
                of,
                suite_tasks.get(name),
                name in present,
                100 * weights.get(name, 0.0),
                name in languages,
                worlds.get(name),
            )
        )
    order = {row.name: index for index, row in enumerate(ROWS)}
    tasks.sort(key=lambda task: (order.get(task.row, len(order)), task.name))
    rows = [_count(row, tasks) for row in ROWS]
    if row:
        row_name = _find(row)
        tasks = [task for task in tasks if task.row == row_name]
        rows = [count for count in rows if count.row == row_name]
    return TaskList(tuple(tasks), tuple(rows), str(data) if data is not None else "no data directory")


def _row(name: str) -> Row | None:
    return next((row for row in ROWS if row.holds(name) or name in row.held_out), None)


def _listed(
    name: str, row: Row | None, task: Task | None, present: bool, weight: float, language: bool, world: World | None
) -> ListedTask:
    public = row.public if row else "imported" if task is None else task.origin
    outside = world.task if world is not None else ""
    return ListedTask(
        name=name,
        domain=name.partition(".")[0],
        row=row.name if row else OTHER,
        source=task.source.value if task else Source.ENVIRONMENT.value if outside else public,
        environment=task.origin if task else outside,
        expert=task.expert if task else "people" if language else row.expert if row else "",
        recordable=task is not None and task.installed and task.demonstrated,
        installed=task.installed if task else None,
        default=task is not None and task.default,
        held_out=(task is not None and task.held_out) or (row is not None and name in row.held_out),
        present=present,
        weight=weight,
    )


def _count(row: Row, tasks: Iterable[ListedTask]) -> RowCount:
    own = [task for task in tasks if task.row == row.name and not task.held_out]
    return RowCount(
        row=row.name,
        weight=row.weight,
        public=row.public,
        paper=row.tasks,
        named=len(own),
        recordable=sum(task.recordable for task in own),
        present=sum(task.present for task in own),
    )


def _find(name: str) -> str:
    for row in ROWS:
        if name in (row.name, named_mixtures.slug(row)):
            return row.name
    names = [row.name for row in ROWS]
    raise named_mixtures.MixtureError(f"no row {name!r} of Table 1; its rows: {names}")
