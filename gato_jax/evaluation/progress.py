"""One line of progress over several tasks, with the time that is left."""

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from data_pipelines.words import counted


class ProgressLine:
    """Rewrites its line on a terminal; elsewhere it prints a line for every finished task.

    Args:
      costs: task -> steps it is expected to take.
      label: first words of the line.
      stream: standard error by default, so that results on standard output stay clean.
    """

    def __init__(self, costs: Mapping[str, int], *, label: str, stream: TextIO | None = None):
        self._costs, self._label = costs, label
        self._done = dict.fromkeys(costs, 0.0)
        self._stream = sys.stderr if stream is None else stream
        self._started = time.monotonic()

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._stream.isatty():
            self._stream.write("\n")
            self._stream.flush()

    def update(self, task: str, step: int, finished: int, count: int) -> None:
        self._done[task] = min(0.99, max(step / self._costs[task], 0.0 if count == 0 else 0.9 * finished / count))
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{self._summary()}, {task} step {step}, {finished}/{count} episodes over")
            self._stream.flush()

    def done(self, task: str) -> None:
        self._done[task] = 1.0
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{self._summary()}")
        else:
            self._stream.write(f"{self._summary()}: {task}\n")
        self._stream.flush()

    def _summary(self) -> str:
        elapsed = time.monotonic() - self._started
        total = sum(self._costs.values())
        share = sum(self._done[task] * cost for task, cost in self._costs.items()) / total
        finished = sum(value >= 1 for value in self._done.values())
        left = f", {elapsed * (1 - share) / share:.0f} s left" if share > 0.02 and share < 1 else ""
        return f"{self._label} {finished}/{counted(len(self._costs), 'task')}, {elapsed:.0f} s{left}"
