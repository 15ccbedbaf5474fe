"""The list of tasks as a terminal shows it, and its sums as tables of Markdown."""

import collections
import textwrap
from collections.abc import Iterable, Sequence

from data_pipelines.reports.task_counts import ListedTask, RowCount, SuiteCount, total
from data_pipelines.suites.catalog import get, install_hint
from data_pipelines.words import counted

_WIDTH = 118


def listing(tasks: Sequence[ListedTask], rows: Sequence[RowCount], directory: str, *, everything: bool) -> str:
    """What is here, what can be recorded here, what only be played, what lacks its simulator, and Table 1.

    Args:
      tasks: in the order of Table 1.
      rows: of Table 1.
      directory: of the data.
      everything: a line for each task; else those that are not here stand close together, and named ones are counted.
    """
    here = [task for task in tasks if task.present]
    away = [task for task in tasks if not task.present]
    recordable = sorted((task for task in away if task.recordable), key=lambda task: (not task.default, task.name))
    playable = [task for task in away if task.runnable and not task.recordable]
    missing = [task for task in away if task.installed is False]
    named = [task for task in away if task.installed is None]
    lines = [f"In {directory}, with its share of the mixture gato:", *map(_line, here)]
    if not here:
        lines.append("  nothing yet")
    show = _lines if everything else _close
    for title, group in (
        ("Can be recorded here (gato record --tasks NAME, or 'babyai.*'; * = without --tasks too)", recordable),
        ("Can be played here, but nobody demonstrates them", playable),
    ):
        if group:
            lines += ["", f"{title}: {counted(len(group), 'task')}", *show(group)]
    if missing:
        lines += ["", f"Need a simulator or a source that is not installed: {counted(len(missing), 'task')}"]
        lines += _lines(missing) if everything else _by_install(missing)
    more = "" if everything or not named else "; --all lists them, --row ROW those of a row"
    lines += ["", f"Table 1; named in public, to be imported: {len(named)} more{more}", *_rows(rows)]
    if everything:
        lines += map(_line, named)
    return "\n".join(lines)


def _lines(tasks: Iterable[ListedTask]) -> list[str]:
    return list(map(_line, tasks))


def _line(task: ListedTask) -> str:
    share = f"{task.weight:.2f} %" if task.present else ""
    missing = " (not installed)" if task.installed is False else ""
    notes = ["held out" * task.held_out, task.environment + missing, f"expert: {task.expert}" if task.expert else ""]
    notes.append(f"licence: {task.licence}" if task.licence else "")
    note = "; ".join(note for note in notes if note)
    return f"{'*' if task.default and task.recordable else '':1} {task.name:<44} {share:>7} {note}".rstrip()


def _by_domain(tasks: Iterable[ListedTask]) -> dict[str, list[ListedTask]]:
    domains: dict[str, list[ListedTask]] = {}
    for task in tasks:
        domains.setdefault(task.domain, []).append(task)
    return domains


def _close(tasks: Iterable[ListedTask]) -> list[str]:
    """All names of a suite in a few lines."""
    lines = []
    for domain, group in sorted(_by_domain(tasks).items()):
        names = [f"{'*' if task.default else ''}{task.name.partition('.')[2]}" for task in group]
        text = f"{domain}, {len(group)}: {' '.join(names)}"
        lines += textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
    return lines


def _by_install(tasks: Iterable[ListedTask]) -> list[str]:
    hints: dict[tuple[str, str], int] = collections.Counter(
        (task.domain, install_hint(get(task.name)) or f"the module of {task.name}") for task in tasks
    )
    return [f"  {domain}, {count}: {hint}" for (domain, hint), count in sorted(hints.items())]


def _rows(rows: Sequence[RowCount]) -> list[str]:
    """Table 1: percent of the sequences, and counts of tasks."""
    head = ["row", "%", "in the paper", "named", "runnable", "with an expert", "measured", "here", "public"]
    lines = [head] + [
        [row.row, f"{row.weight:g}", *_cells(row), str(row.present), row.public] for row in rows
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index in (0, len(widths) - 1) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _cells(row: RowCount) -> list[str]:
    """Counts of a row; text and pictures have none but what is here."""
    if row.paper is None:
        return [""] * 5
    return [str(number) for number in (row.paper, row.named, row.runnable, row.recordable, row.measured)]


def sums(rows: Sequence[RowCount], suites: Sequence[SuiteCount]) -> str:
    """Suites and rows of Table 1 as two tables of Markdown."""
    lines = _markdown(
        ["suite", "names", "counted", "ran", "with an expert", "measured", "steps/s", "frames/s"],
        [_suite_cells(suite) for suite in (*suites, total(suites))],
    )
    control = [row for row in rows if row.paper is not None]
    lines += ["", *_markdown(
        ["row of Table 1", "in the paper", "named here", "runnable", "with an expert", "measured"],
        [[row.row, *_cells(row)] for row in control] + [["all", *_totals(control)]],
    )]  # fmt: skip
    return "\n".join(lines)


def _suite_cells(suite: SuiteCount) -> list[str]:
    numbers = (suite.names, suite.counted, suite.ran, suite.demonstrated, suite.measured)
    rates = (suite.steps_per_second, suite.frames_per_second)
    return [suite.domain, *map(str, numbers), *("" if rate is None else f"{rate:,.0f}" for rate in rates)]


def _totals(rows: Sequence[RowCount]) -> list[str]:
    columns = zip(*(map(int, _cells(row)) for row in rows), strict=True)
    return [str(sum(column)) for column in columns]


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, marks, *lines)]
