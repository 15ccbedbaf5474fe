"""How long a recording still takes, from what was foretold and how fast it goes."""

import time
from collections.abc import Mapping

from data_pipelines.recording.job import Job
from data_pipelines.recording.plan.forecast import WORKER_STARTS, job_seconds

_TRUST = 30.0
"""Seconds of each worker after which what was seen weighs as much as what was foretold."""
_EVERY = 0.5  # seconds between two estimates


class Pace:
    """What is left of the parts, in seconds.

    Args:
      jobs: the parts, by task and number.
      workers: at the same time.
    """

    def __init__(self, jobs: Mapping[tuple[str, int], Job], workers: int):
        self._foretold = {key: job_seconds(job) for key, job in jobs.items()}
        self._left = dict(self._foretold)
        self._workers = workers
        self._begun: float | None = None
        self._last = (-_EVERY, 0.0)

    def hear(self, part: tuple[str, int], share: float) -> None:
        """So much of a part is done, a share of 1."""
        if self._begun is None:
            self._begun = time.monotonic()
        self._left[part] = self._foretold[part] * max(0.0, 1 - share)

    def drop(self, task: str) -> None:
        """Nothing more of this task will be recorded."""
        for part in self._left:
            if part[0] == task:
                self._left[part] = 0.0

    def seconds_left(self, elapsed: float) -> float | None:
        """Seconds on the clock until all is recorded, `elapsed` seconds after the start; None if there is nothing."""
        if not self._foretold:
            return None
        if elapsed - self._last[0] >= _EVERY:
            self._last = (elapsed, self._estimate(elapsed))
        return self._last[1]

    def _estimate(self, elapsed: float) -> float:
        left = sum(self._left.values())
        wall = max(left / self._workers, max(self._left.values()))
        if self._begun is None:
            return wall + max(0.0, WORKER_STARTS - elapsed)
        worked, trust = self._workers * (time.monotonic() - self._begun), self._workers * _TRUST
        done = sum(self._foretold.values()) - left
        return wall * (worked + trust) / (done + trust)
