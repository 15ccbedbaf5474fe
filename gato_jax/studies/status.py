"""How far a sweep is: one line, or a table that a terminal shows while it goes on."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.read_json import read_json
from gato_jax.studies.study import Run
from gato_jax.studies.workers.claims import Claims

RESULT, FAILED = "result.json", "failed.json"
TAIL = 65536
"""Bytes at the end of metrics.jsonl in which the last record is looked for."""


@dataclasses.dataclass(frozen=True)
class Status:
    """Runs by state.

    Args:
      done, waiting: names of runs.
      failed: run -> its reason.
      running: names of runs that somebody trains now.
      seconds: that the runs that are done took together.
      progress: run -> part of its steps that are done, of those that run.
    """

    done: tuple[str, ...]
    failed: Mapping[str, str]
    running: tuple[str, ...]
    waiting: tuple[str, ...]
    seconds: float
    progress: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def seconds_left(self, *, workers: int) -> float | None:
        """At the mean speed of the runs that are done; None before the first, and 0 at the end."""
        left = len(self.waiting) + sum(1 - self.progress.get(run, 0.0) for run in self.running)
        if not left:
            return 0.0
        return self.seconds / len(self.done) * left / max(workers, 1) if self.done else None

    def line(self, *, workers: int | None = None) -> str:
        """One line, with the time that is left for so many workers; those that work now if None."""
        seconds = self.seconds_left(workers=workers or len(self.running))
        eta = f", about {seconds / 60:.0f} min left" if seconds else ""
        counts = f"{len(self.done)} done, {len(self.failed)} failed, {len(self.running)} running"
        return f"{counts}, {len(self.waiting)} waiting{eta}"

    def table(self, *, workers: int | None = None) -> Any:
        """A `rich` table: the runs that run, those that failed with their reasons, and the line."""
        from rich.markup import escape
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table(caption=self.line(workers=workers), caption_justify="left", caption_style="")
        for column in ("run", "state", "progress"):
            table.add_column(column)
        for run in self.running:
            part = self.progress.get(run, 0.0)
            table.add_row(escape(run), f"{100 * part:.0f} %", ProgressBar(total=1.0, completed=part, width=30))
        for run, reason in self.failed.items():
            table.add_row(escape(run), "[red]failed[/red]", escape(reason.splitlines()[0] if reason else ""))
        return table


def status_of(out: Path, runs: list[Run]) -> Status:
    """What the files of a sweep directory say now."""
    claims, seconds = Claims(out / "claims"), 0.0
    states: dict[str, str] = {}
    failed: dict[str, str] = {}
    for run in runs:
        directory = out / "runs" / run.name
        if (directory / RESULT).exists():
            states[run.name] = "done"
            seconds += read_result(directory)["seconds"]
        elif (directory / FAILED).exists():
            failed[run.name] = read_json(directory / FAILED, "why a run failed", keys={"reason": str})["reason"]
        else:
            states[run.name] = "running" if claims.alive(run.name) else "waiting"
    of = lambda state: tuple(name for name, run_state in states.items() if run_state == state)  # noqa: E731
    progress = {name: _progress(out / "runs" / name) for name in of("running")}
    return Status(of("done"), failed, of("running"), of("waiting"), seconds, progress)


def read_result(directory: Path) -> dict[str, Any]:
    """What a finished run measured. Raises `DamagedFile` naming the file."""
    remedy = "delete it, and the next `gato sweep` of the study trains the run again"
    keys = ("name", "role", "point", "shares", "seed", "domain_losses", "rows", "seconds")
    return read_json(directory / RESULT, "the result of a run of a sweep", keys=keys, remedy=remedy)


def _progress(directory: Path) -> float:
    """Part of a run's steps that its records show."""
    log = directory / "train" / "metrics.jsonl"
    if not log.exists():
        return 0.0
    steps = read_json(directory / "experiment.json", "an experiment", keys=("train",))["train"]["steps"]
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    for line in reversed(lines):
        try:
            return min(1.0, (json.loads(line)["step"] + 1) / steps)
        except (json.JSONDecodeError, TypeError, KeyError):  # Cut at either end.
            continue
    return 0.0
