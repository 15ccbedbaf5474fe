"""What a control import did, for JSON and for a terminal. No TensorFlow."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.storage.data_directory import RECORDING_FILE, SPEC_FILE


@dataclasses.dataclass(frozen=True)
class ControlProgress:
    """Where an import stands.

    Args:
      task: the task.
      message: news worth a line of its own, else "".
      stage: "surveying" or "writing".
      done, total: episodes of the source; 0 where the total is not known.
      episodes_per_second: of this run and stage.
      seconds_left: estimate of this stage, None where the total is not known.
    """

    task: str
    message: str
    stage: str
    done: int
    total: int
    episodes_per_second: float
    seconds_left: float | None

    def line(self) -> str:
        """The state in one line."""
        of = f"/{self.total}" if self.total else ""
        left = "" if self.seconds_left is None else f", about {self.seconds_left:.0f} s left"
        return f"{self.task}: {self.stage} {self.done}{of} episodes, {self.episodes_per_second:.1f} episodes/s{left}"


@dataclasses.dataclass(frozen=True)
class ControlSummary:
    """What an import did.

    Args:
      task: the task it wrote.
      reused: the task was there already, with equal settings; the other numbers are of that import.
      counts: episodes per split.
      steps: actions.
      skipped: reason -> episodes that were left out.
      filter: what the filter found and dropped, None without it.
      clipped: actions that were clipped to the range.
      action: kind and range of the action, and where the range is from.
      observation: key -> kind and shape.
      notes: what was chosen or done, a sentence each.
      seconds: wall time.
    """

    task: str
    reused: bool
    counts: dict[str, int]
    steps: int
    skipped: dict[str, int]
    filter: dict[str, Any] | None
    clipped: int
    action: str
    observation: dict[str, str]
    notes: tuple[str, ...]
    seconds: float

    @classmethod
    def read(cls, directory: Path, *, reused: bool) -> "ControlSummary":
        """From the directory of an imported task."""
        record = json.loads((directory / RECORDING_FILE).read_text())
        spec = TaskSpec.from_json((directory / SPEC_FILE).read_text())
        if spec.action.kind is Kind.CONTINUOUS:
            action = f"{spec.action.size} in [{spec.action.low:.6g}, {spec.action.high:.6g}], {record['action_range']}"
        else:
            action = f"{spec.action.size} of {spec.action.num_values} values"
        observation = {
            item.key: f"{item.kind.value} {list(item.shape)}"
            + (f" of {item.num_values} values" if item.kind is Kind.DISCRETE else "")
            for item in spec.observation
        }
        return cls(
            task=directory.name,
            reused=reused,
            counts=record["counts"],
            steps=record["steps"],
            skipped=record["rejected_because"],
            filter=record["filter"],
            clipped=record["clipped"],
            action=action,
            observation=observation,
            notes=tuple(record["notes"]),
            seconds=record["seconds"],
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    def table(self) -> Any:
        """For a terminal, as a `rich` table."""
        from rich.table import Table

        state = "was imported before" if self.reused else f"imported in {self.seconds:.1f} s"
        table = Table(title=f"{self.task} {state}")
        table.add_column("what")
        table.add_column("found")
        for split, count in self.counts.items():
            table.add_row(f"{split} episodes", f"{count:,}")
        table.add_row("steps", f"{self.steps:,}")
        for key, text in self.observation.items():
            table.add_row(f"observation {key}", text)
        table.add_row("action", self.action)
        if self.filter is not None:
            selection = self.filter
            table.add_row(
                "expert return", f"{selection['expert_return']:.6g}, mean of {selection['window']} episodes in a row"
            )
            of = "of the expert" if selection["floor"] is None else f"of the way from {selection['floor']:g}"
            table.add_row("bar", f"{selection['bar']:.6g}, {selection['share']:.0%} {of}")
            table.add_row("below the bar", f"{selection['dropped']:,} of {selection['episodes']:,} episodes")
        for reason, count in sorted(self.skipped.items()):
            table.add_row(f"left out: {reason}", f"{count:,}")
        if self.clipped:
            table.add_row("actions clipped", f"{self.clipped:,}")
        for note in self.notes:
            table.add_row("note", note)
        return table
