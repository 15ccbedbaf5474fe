"""The summary of a data directory as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data_pipelines.words import counted

if TYPE_CHECKING:
    from data_pipelines.reports.data_summary import DataSummary, TaskSummary

_HEAD = (
    "task", "kind", "train", "held out", "steps", "tokens", "return", "lowest", "highest", "expert", "on disk",
)  # fmt: skip


def table(summary: DataSummary) -> str:
    """A line for each task, their sums, and what is missing or wrong."""
    rows = [_cells(task) for task in summary.tasks]
    if len(rows) > 1:
        rows.append(_sums(summary.tasks))
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (_HEAD, *rows)
    ]
    title = f"{summary.directory}: {counted(len(summary.tasks), 'task')}; tokens as {summary.experiment} makes them"
    if not all(task.exact for task in summary.tasks):
        title += ", ~ estimated from the first texts"
    return "\n".join([title, *lines, *summary.remarks()])


def _cells(task: TaskSummary) -> list[str]:
    returns = (task.returns.mean(), task.returns.min(), task.returns.max()) if len(task.returns) else ()
    return [
        task.task,
        task.kind,
        f"{task.episodes:,}",
        f"{task.held_out:,}",
        f"{task.steps:,}" if task.kind == "control" else "-",
        ("" if task.exact else "~") + f"{task.tokens:,.0f}",
        *([f"{value:.4g}" for value in returns] or ["-"] * 3),
        "-" if task.score is None else f"{task.score.expert:.4g}",
        shown_bytes(task.bytes),
    ]


def _sums(tasks: Sequence[TaskSummary]) -> list[str]:
    exact = all(task.exact for task in tasks)
    return [
        f"all {len(tasks)}",
        "",
        f"{sum(task.episodes for task in tasks):,}",
        f"{sum(task.held_out for task in tasks):,}",
        f"{sum(task.steps for task in tasks):,}",
        ("" if exact else "~") + f"{sum(task.tokens for task in tasks):,.0f}",
        *[""] * 4,
        shown_bytes(sum(task.bytes for task in tasks)),
    ]


def shown_bytes(count: float) -> str:
    """With three digits: "204 kB"."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} B"
