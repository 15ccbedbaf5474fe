"""One line of progress over several tasks, with the time that is left."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from data_pipelines.words import counted

GUESS = 0.02
"""Seconds of a step before any was timed."""


class ProgressLine:
    """Rewrites its line on a terminal; elsewhere it prints a line for every finished task.

    The time that is left follows from the pace of steps that were timed, which leaves out what a task takes to start
    (compiling, opening simulators); until some were, from a guess.

    Args:
      costs: task -> steps it is expected to take.
      label: first words of the line.
      processes: how many tasks are played side by side.
      stream: standard error by default, so that results on standard output stay clean.
      clock: seconds.
    """

    def __init__(
        self,
        costs: Mapping[str, int],
        *,
        label: str,
        processes: int = 1,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._costs, self._label, self._processes = costs, label, max(1, min(processes, len(costs)))
        self._done = dict.fromkeys(costs, 0.0)
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._started = clock()
        self._first: dict[str, tuple[int, float]] = {}
        self._last: dict[str, tuple[int, float]] = {}

    def __enter__(self) -> "ProgressLine":
        if self._stream.isatty():
            self._rewrite(self._summary())
        return self

    def __exit__(self, *_: Any) -> None:
        if self._stream.isatty():
            self._stream.write("\n")
            self._stream.flush()

    def update(self, task: str, step: int, finished: int, count: int) -> None:
        """Says how far a task is: steps, and episodes that are over."""
        now = self._clock()
        self._first.setdefault(task, (step, now))
        self._last[task] = (step, now)
        self._done[task] = min(0.99, max(step / self._costs[task], 0.0 if count == 0 else 0.9 * finished / count))
        if self._stream.isatty():
            self._rewrite(f"{self._summary()}, {task} step {step}, {finished}/{count} episodes over")

    def done(self, task: str) -> None:
        """Says that a task is finished."""
        self._done[task] = 1.0
        if self._stream.isatty():
            self._rewrite(self._summary())
        else:
            self._stream.write(f"{self._summary()}: {task}\n")
            self._stream.flush()

    def seconds_left(self) -> float:
        """Of the whole line."""
        timed = {task: self._pace(task) for task in self._costs}
        known = [pace for pace in timed.values() if pace is not None]
        usual = sum(known) / len(known) if known else GUESS
        left = 0.0
        for task, cost in self._costs.items():
            pace = timed[task]
            left += (1 - self._done[task]) * cost * (usual if pace is None else pace)
        return left / self._processes

    def _pace(self, task: str) -> float | None:
        """Seconds a step; None where no two were timed."""
        if task not in self._first or self._last[task][0] <= self._first[task][0]:
            return None
        (first, begun), (last, now) = self._first[task], self._last[task]
        return (now - begun) / (last - first)

    def _summary(self) -> str:
        elapsed = self._clock() - self._started
        finished = sum(value >= 1 for value in self._done.values())
        left = f", about {_clock(self.seconds_left())} left" if finished < len(self._costs) else ""
        return f"{self._label} {finished}/{counted(len(self._costs), 'task')}, {_clock(elapsed)}{left}"

    def _rewrite(self, line: str) -> None:
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
