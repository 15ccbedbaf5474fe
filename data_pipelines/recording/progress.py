"""Where a recording stands, and how a terminal shows it."""

import dataclasses
import sys
import time
from typing import Any, Protocol, TextIO

from data_pipelines.words import counted, duration

_WIDE = 120


class Report(Protocol):
    """What `ConsoleProgress` shows: news of something, if there are any, and the state in one line."""

    @property
    def task(self) -> str: ...

    @property
    def message(self) -> str: ...

    def line(self) -> str:
        """The state in one line."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a recording stands.

    Args:
      task: that something was just heard of, "" for none.
      message: news worth a line of its own, else "".
      tasks_done, tasks_total: whole tasks.
      kept, rejected, steps: so far.
      steps_per_second: of this run.
      seconds_left: estimate, None until there is something to extrapolate from.
    """

    task: str
    message: str
    tasks_done: int
    tasks_total: int
    kept: int
    rejected: int
    steps: int
    steps_per_second: float
    seconds_left: float | None

    def line(self) -> str:
        """The state in one line."""
        left = "" if self.seconds_left is None else f", about {duration(self.seconds_left)} left"
        return (
            f"{self.tasks_done}/{counted(self.tasks_total, 'task')}, {counted(self.kept, 'episode')} kept, "
            f"{self.rejected} rejected, {self.steps_per_second:.0f} steps/s{left}"
        )


class ConsoleProgress:
    """One line that is redrawn in a terminal; elsewhere only the news, and the state every ten seconds."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._last = -float("inf")

    def __call__(self, progress: Report) -> None:
        """Shows one report."""
        now = time.monotonic()
        if progress.message:
            name = f"{progress.task}: " if progress.task else ""
            self._write(f"{name}{progress.message}", "\n")
        if progress.message and not self._live:
            return
        if now - self._last >= (0.2 if self._live else 10.0):
            self._last = now
            self._write(progress.line(), "" if self._live else "\n")

    def close(self) -> None:
        """Leaves the cursor on a clean line."""
        if self._live and self._last > 0:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _write(self, text: str, end: str) -> None:
        self._stream.write(("\r\x1b[K" if self._live else "") + text + end)
        self._stream.flush()


def show_table(table: Any, stream: TextIO, above: str = "") -> None:
    """Prints a `rich` table under a line; a file or pipe gets lines that are long enough for all columns."""
    from rich.console import Console

    if above:
        print(above, file=stream)
    Console(file=stream, width=None if stream.isatty() else _WIDE).print(table)
