"""What a recording did, for JSON and for a terminal."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from data_pipelines.words import counted

_SHOWN = 20
"""Reused tasks have a line each up to so many."""


@dataclasses.dataclass(frozen=True)
class RecordingSummary:
    """What a run did.

    Args:
      tasks: what each recorded task holds: kept, rejected, steps, seconds (of worker time), expert and random score.
      reused: tasks that were complete already, with equal settings.
      seconds: wall time.
      rejected_because: what became of the attempts of each recorded task that were not kept, by reason.
    """

    tasks: dict[str, dict[str, float]]
    reused: tuple[str, ...]
    seconds: float
    rejected_because: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)

    @property
    def recorded(self) -> tuple[str, ...]:
        """Names of the tasks recorded by this run."""
        return tuple(self.tasks)

    @property
    def kept(self) -> int:
        return int(sum(task["kept"] for task in self.tasks.values()))

    @property
    def rejected(self) -> int:
        return int(sum(task["rejected"] for task in self.tasks.values()))

    @property
    def steps(self) -> int:
        return int(sum(task["steps"] for task in self.tasks.values()))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {"kept": self.kept, "rejected": self.rejected, "steps": self.steps}

    def table(self) -> Any:
        """For a terminal, as a `rich` table."""
        from rich.table import Table

        table = Table(
            title=f"recorded {counted(len(self.tasks), 'task')} in {self.seconds:.0f} s, reused {len(self.reused)}"
        )
        table.add_column("task", no_wrap=True)
        for column in ("kept", "rejected", "steps", "expert", "random", "seconds"):
            table.add_column(column, justify="right")
        for name, row in self.tasks.items():
            scores = [f"{row[key]:.4g}" if key in row else "-" for key in ("expert", "random")]
            counts = [f"{row[key]:,.0f}" for key in ("kept", "rejected", "steps")]
            table.add_row(name, *counts, *scores, f"{row['seconds']:.1f}")
        shown = self.reused if len(self.reused) <= _SHOWN else ()
        for name in shown or [counted(len(self.reused), "task")] * bool(self.reused):
            table.add_row(name, "reused", *[""] * 5)
        return table

    def rejections(self) -> Any:
        """What was rejected and why, as a `rich` table; None where nothing was."""
        from rich.table import Table

        if not self.rejected_because:
            return None
        table = Table(title="attempts that were not kept")
        table.add_column("task", no_wrap=True)
        table.add_column("rejected", justify="right")
        table.add_column("of its attempts", justify="right")
        table.add_column("because")
        for name, reasons in self.rejected_because.items():
            attempts = self.tasks[name]["kept"] + self.tasks[name]["rejected"]
            for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
                table.add_row(name, f"{count:,}", f"{count / attempts:.0%}", reason)
        return table
