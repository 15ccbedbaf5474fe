"""What an import did and where it stands, for JSON and for a terminal. No TensorFlow."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from data_pipelines.storage.data_directory import RECORDING_FILE, SPEC_FILE


@dataclasses.dataclass(frozen=True)
class ImportProgress:
    """Where an import stands.

    Args:
      task: the task.
      message: news worth a line of its own, else "".
      done, total: items of the source; 0 where the total is not known.
      examples: written so far.
      items_per_second: of this run.
      seconds_left: estimate, None where the total is not known.
    """

    task: str
    message: str
    done: int
    total: int
    examples: int
    items_per_second: float
    seconds_left: float | None

    def line(self) -> str:
        """The state in one line."""
        of = f"/{self.total}" if self.total else ""
        left = "" if self.seconds_left is None else f", about {self.seconds_left:.0f} s left"
        return (
            f"{self.task}: {self.done}{of} items, {self.examples} examples, {self.items_per_second:.0f} items/s{left}"
        )


@dataclasses.dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Args:
      task: the task it wrote.
      kind: "text", "captions", "vqa" or "documents".
      reused: the task was there already, with equal settings; the other numbers are of that import.
      counts: examples per split.
      skipped: reason -> items that were left out.
      dropped_pictures: reason -> pictures left out of documents that were kept.
      pictures: stored.
      image_patches: 16x16 patches of the smallest and of the largest picture, None without pictures.
      seconds: wall time.
    """

    task: str
    kind: str
    reused: bool
    counts: dict[str, int]
    skipped: dict[str, int]
    dropped_pictures: dict[str, int]
    pictures: int
    image_patches: tuple[int, int] | None
    seconds: float

    @classmethod
    def read(cls, directory: Path, *, reused: bool) -> "ImportSummary":
        """From the directory of an imported task."""
        record = json.loads((directory / RECORDING_FILE).read_text())
        spec = json.loads((directory / SPEC_FILE).read_text())
        return cls(
            task=directory.name,
            kind=spec["kind"],
            reused=reused,
            counts=record["counts"],
            skipped=record["rejected_because"],
            dropped_pictures=record["dropped_pictures"],
            pictures=record["pictures"],
            image_patches=tuple(spec["image_patches"]) if "image_patches" in spec else None,
            seconds=record["seconds"],
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    def table(self) -> Any:
        """For a terminal, as a `rich` table."""
        from rich.table import Table

        state = "was imported before" if self.reused else f"imported in {self.seconds:.1f} s"
        table = Table(title=f"{self.task} ({self.kind}) {state}")
        table.add_column("what")
        table.add_column("count", justify="right")
        for split, count in self.counts.items():
            table.add_row(f"{split} examples", f"{count:,}")
        if self.image_patches is not None:
            table.add_row("pictures", f"{self.pictures:,}")
            table.add_row("patches of a picture", "-".join(map(str, sorted(set(self.image_patches)))))
        for reason, count in sorted(self.skipped.items()):
            table.add_row(f"left out: {reason}", f"{count:,}")
        for reason, count in sorted(self.dropped_pictures.items()):
            table.add_row(f"picture dropped from its document: {reason}", f"{count:,}")
        return table
