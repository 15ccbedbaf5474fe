"""Every task of Table 1 that a public source names, and every other task that is here: `gato tasks`."""

import dataclasses
import pathlib
from typing import Any

from data_pipelines.mixtures import named as named_mixtures
from data_pipelines.mixtures.table1 import ROWS, Row
from data_pipelines.mixtures.table1_names import NAMES
from data_pipelines.reports import measured, task_counts, task_table
from data_pipelines.reports.task_counts import OTHER, ListedTask, RowCount, SuiteCount
from data_pipelines.spec import World
from data_pipelines.storage.recorded_tasks import language_tasks, recorded_tasks, recorded_worlds
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.catalog import catalog, suites


@dataclasses.dataclass(frozen=True)
class TaskList:
    """The tasks, in the order of Table 1, and the counts of its rows and of the suites."""

    tasks: tuple[ListedTask, ...]
    rows: tuple[RowCount, ...]
    suites: tuple[SuiteCount, ...]
    directory: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON, with the sums over all suites."""
        return {**dataclasses.asdict(self), "sums": dataclasses.asdict(task_counts.total(self.suites))}

    def table(self, *, everything: bool = True) -> str:
        """For a terminal: what is here, what can be recorded here, what only be played, and the rows of Table 1.

        Args:
          everything: a line for each task, also for those that are only named.
        """
        return task_table.listing(self.tasks, self.rows, self.directory, everything=everything)

    def sums(self) -> str:
        """The counts of rows and suites as tables of Markdown."""
        return task_table.sums(self.rows, self.suites)


def list_tasks(
    data: str | pathlib.Path | None = None, *, row: str = "", results: pathlib.Path = measured.RESULTS
) -> TaskList:
    """All tasks, or those of one row of Table 1.

    Args:
      data: data directory; None, or one that is absent, has nothing.
      row: a row's name, or that of its mixture ("ALE Atari", "ale_atari"); "" = all.
      results: directory of experts' scores and of the worlds that were tried.

    Raises:
      MixtureError: no such row.
    """
    present = recorded_tasks(data) if data is not None and pathlib.Path(data).exists() else []
    languages = language_tasks(data, present) if data is not None and present else []
    worlds = recorded_worlds(data, present) if data is not None and present else {}
    shares = named_mixtures.resolve("gato", present)
    weights = shares.weights(renormalise=True) if shares.shares else {}
    experts, tried = measured.measured_experts(results), measured.tried_worlds(results)
    suite_tasks = catalog()
    public = [name for names in (*NAMES.values(), *(row.names for row in ROWS)) for name in names]
    tasks = []
    for name in dict.fromkeys([*public, *suite_tasks, *present]):
        task = _listed(name, _row(name), suite_tasks.get(name), name in languages, worlds.get(name))
        tasks.append(
            dataclasses.replace(
                task,
                present=name in present,
                weight=100 * weights.get(name, 0.0),
                measured=name in experts,
                ran=tried[name]["ok"] if name in tried else None,
            )
        )
    order = {row.name: index for index, row in enumerate(ROWS)}
    tasks.sort(key=lambda task: (order.get(task.row, len(order)), task.name))
    rows = [task_counts.of_row(row, tasks) for row in ROWS]
    of_suites = [task_counts.of_suite(suite, tasks, tried) for suite in suites() if suite.is_simulator]
    if row:
        row_name = _find(row)
        tasks = [task for task in tasks if task.row == row_name]
        rows = [count for count in rows if count.row == row_name]
    return TaskList(tuple(tasks), tuple(rows), tuple(of_suites), str(data) if data is not None else "no data directory")


def _row(name: str) -> Row | None:
    return next((row for row in ROWS if row.holds(name) or name in row.held_out), None)


def _listed(name: str, row: Row | None, task: Task | None, language: bool, world: World | None) -> ListedTask:
    public = row.public if row else "imported" if task is None else task.origin
    outside = world.task if world is not None else ""
    return ListedTask(
        name=name,
        domain=name.partition(".")[0],
        row=row.name if row else OTHER,
        source=task.source.value if task else Source.ENVIRONMENT.value if outside else public,
        environment=task.origin if task else outside,
        expert=task.expert if task and task.demonstrated else "people" if language else row.expert if row else "",
        recordable=task is not None and task.installed and task.demonstrated,
        runnable=task is not None and task.installed and task.make_environment is not None,
        installed=task.installed if task else None,
        demonstrated=task is not None and task.demonstrated,
        default=task is not None and task.default,
        licence=task.licence if task else "",
        held_out=(task is not None and task.held_out) or (row is not None and name in row.held_out),
    )


def _find(name: str) -> str:
    for row in ROWS:
        if name in (row.name, named_mixtures.slug(row)):
            return row.name
    names = [row.name for row in ROWS]
    raise named_mixtures.MixtureError(f"no row {name!r} of Table 1; its rows: {names}")
