"""Time: a wall-clock budget turned into steps, and the speed that the progress line shows."""

import collections
import time
from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from data_pipelines.ranges import LARGEST_INT
from gato_jax import sharding
from gato_jax.chips import CHIPS
from gato_jax.training.step.spec import StepSpec

WARM_STEPS = 3
TIMED_STEPS = 20


def time_steps(step: Callable[[], None], *, stop: Callable[[], bool]) -> float | None:
    """Mean seconds of `TIMED_STEPS` calls of `step`, after `WARM_STEPS`; None where `stop` said so."""
    start = 0.0
    for index in range(WARM_STEPS + TIMED_STEPS):
        if stop():
            return None
        if index == WARM_STEPS:
            start = time.monotonic()
        step()
    return (time.monotonic() - start) / TIMED_STEPS


def steps_within(seconds: float, *, each: float) -> int:
    """Steps that fit, at least `TIMED_STEPS`; the first host's clock decides for all."""
    steps = np.asarray(min(max(TIMED_STEPS, int(seconds / each)), LARGEST_INT), np.int32)
    return int(multihost_utils.broadcast_one_to_all(steps) if jax.process_count() > 1 else steps)


WINDOW = 30
"""Records that the time which is left is reckoned from, at most."""


class Speed:
    """Tokens per second since the last record, the time that is left, and MFU.

    The first step is not counted: its batch waits for the pipelines to be built and filled.

    Args:
      flops: FLOPs that the model needs per step and device (`training.step.flops`, `needed`).
      peak: FLOPs per second of a device; None = unknown, and no MFU is given.
    """

    def __init__(self, spec: StepSpec, *, step: int, steps: int, flops: float = 0.0, peak: float | None = None):
        self._flops, self._peak = flops, peak
        self._tokens = tokens_per_step(spec)
        self._steps = steps
        self._started = (step, time.monotonic())
        self._marks: collections.deque[tuple[int, float]] = collections.deque(maxlen=WINDOW + 1)

    def first_step_done(self, step: int) -> None:
        """After the first step of this session, `step` steps of the run are done; counting begins here."""
        self._marks.append((step, time.monotonic()))

    def measure(self, step: int) -> dict[str, float]:
        """After `step` steps: {"tokens_per_second", "eta_seconds", "mfu" where the peak is known}.

        There is no "eta_seconds" while the first step is all there is to reckon from.
        """
        now = (step, time.monotonic())
        before = self._marks[-1] if self._marks and self._marks[-1][0] < step else self._started
        self._marks.append(now)
        each = _seconds_per_step(before, now)
        speed = {"tokens_per_second": self._tokens / each}
        if self._marks[0][0] < step or step >= self._steps:
            speed["eta_seconds"] = (self._steps - step) * _seconds_per_step(self._marks[0], now)
        return speed if self._peak is None else speed | {"mfu": self._flops / each / self._peak}


def _seconds_per_step(before: tuple[int, float], now: tuple[int, float]) -> float:
    return max(now[1] - before[1], 1e-9) / max(now[0] - before[0], 1)


def tokens_per_step(spec: StepSpec) -> int:
    """Places of all rows of a global batch, padding included."""
    return sum(spec.rows[name] * group.length for name, group in spec.groups.items())


def peak_flops(tflops: float | None, mesh: Mesh, say: Callable[[str], None]) -> float | None:
    """FLOPs per second of a device: `tflops` where set, or the published bfloat16 peak.

    Says so where an accelerator's is unknown; nobody publishes a CPU's.
    """
    kind = sharding.device_kind(mesh)[1]
    published = {chip.device_kind: chip.peak for chip in CHIPS.values() if chip.device_kind and chip.peak}
    peak = published.get(kind) if tflops is None else 1e12 * tflops
    if peak is None and sharding.device_kind(mesh)[0] != "cpu" and jax.process_index() == 0:
        say(f"no MFU in the records: the peak of {kind!r} devices is not known here; train.peak_tflops sets it")
    return peak
