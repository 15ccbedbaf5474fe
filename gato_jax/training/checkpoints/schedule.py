"""When the loop saves and records."""

import time

import jax
import numpy as np
from jax.experimental import multihost_utils

from gato_jax.config import TrainConfig


def record_due(step: int, config: TrainConfig, steps: int) -> bool:
    """Whether step `step` writes a record: every `log_every` steps, and the last."""
    return (step + 1) % config.log_every == 0 or step + 1 == steps


class SaveSchedule:
    """Saves every `checkpoint_every` steps, every `checkpoint_minutes`, at the end, and when the run has to stop.

    The first host's clock decides for all; with several hosts it is asked at every `log_every`-th step only.
    """

    def __init__(self, config: TrainConfig, *, step: int, steps: int):
        self._config, self._saved, self._steps = config, step, steps
        self._then = time.monotonic()

    def due(self, step: int, *, stop: bool) -> bool:
        """Whether to save before step `step`. Call at every boundary on every host."""
        due = stop or step == self._steps or step % self._config.checkpoint_every == 0 or self._time_is_up(step)
        return due and step != self._saved

    def saved(self, step: int) -> None:
        """`step` is saved."""
        self._saved, self._then = step, time.monotonic()

    def _time_is_up(self, step: int) -> bool:
        minutes = self._config.checkpoint_minutes
        if minutes is None:
            return False
        up = time.monotonic() - self._then > 60 * minutes
        if jax.process_count() == 1:
            return up
        if step % self._config.log_every:
            return False
        with jax.transfer_guard("allow"):
            return bool(multihost_utils.broadcast_one_to_all(np.asarray(up, np.int32)))
