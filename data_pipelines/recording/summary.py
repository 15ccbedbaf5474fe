"""What a recording did, for JSON and for a terminal."""

import dataclasses
from typing import Any

from data_pipelines.words import counted


@dataclasses.dataclass(frozen=True)
class RecordingSummary:
    """What a run did.

    Args:
      tasks: what each recorded task holds: kept, rejected, steps, seconds (of worker time), expert and random score.
      reused: tasks that were complete already, with equal settings.
      seconds: wall time.
    """

    tasks: dict[str, dict[str, float]]
    reused: tuple[str, ...]
    seconds: float

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
        for name in self.reused:
            table.add_row(name, "reused", *[""] * 5)
        return table
