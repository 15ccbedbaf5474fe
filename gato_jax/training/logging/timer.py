"""Where the time of a run goes: load, step, evaluate, save, hook, log; over all restarts."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax

PARTS = ("step", "load", "evaluate", "save", "hook", "log")


class Timer:
    """Seconds of each part of the loop, and what the loop is doing now.

    Goodput is the share of wall time that went into steps which count: the wall time of all sessions, with their
    start-up and with what was lost after their last checkpoint, but without the pauses between them.

    Attributes:
      now: (step, part, since when) of the loop, which the watchdog reads.
    """

    def __init__(self, *, started: float):
        self._started = started
        self._wall_before = self._loop_before = 0.0
        self._begun: float | None = None
        self._parts = dict.fromkeys(PARTS, 0.0)
        self._recorded = dict(self._parts)
        self._recorded_step = 0
        self._last = 0.0
        self.now = (0, "start", started)

    def begin(self, step: int) -> None:
        """The loop starts here."""
        self._begun = time.monotonic()
        self._recorded, self._recorded_step = dict(self._parts), step
        self.enter(step, "loop")

    def enter(self, step: int, part: str) -> None:
        """The loop turns to another part."""
        self.now = (step, part, time.monotonic())

    @contextlib.contextmanager
    def part(self, name: str, step: int) -> Iterator[None]:
        """Counts the block as `name`, under which a profiler trace shows it too."""
        annotate = jax.profiler.StepTraceAnnotation if name == "step" else jax.profiler.TraceAnnotation
        self.enter(step, name)
        since = self.now[2]
        try:
            with annotate(name, step_num=step):
                yield
        finally:
            self._last = time.monotonic() - since
            self._parts[name] += self._last
            self.enter(step, "loop")

    def overlapped(self) -> None:
        """The part that has just ended was "load", and the devices computed all the while: it is time of the step."""
        self._parts["load"] -= self._last
        self._parts["step"] += self._last

    @property
    def seconds(self) -> float:
        """Time in the loop, over all sessions."""
        return self._loop_before + (0.0 if self._begun is None else time.monotonic() - self._begun)

    @property
    def wall(self) -> float:
        """Time since `train` was called, over all sessions."""
        return self._wall_before + time.monotonic() - self._started

    @property
    def goodput(self) -> float:
        return self._parts["step"] / max(self.wall, 1e-9)

    def measure(self, step: int) -> dict[str, Any]:
        """{"seconds_per_step": {part: mean since the last call}, "seconds", "wall_seconds", "goodput"} after `step`."""
        steps = max(step - self._recorded_step, 1)
        each = {name: (self._parts[name] - self._recorded[name]) / steps for name in PARTS}
        self._recorded, self._recorded_step = dict(self._parts), step
        return {
            "seconds_per_step": each,
            "seconds": self.seconds,
            "wall_seconds": self.wall,
            "goodput": self.goodput,
        }

    def summary(self) -> dict[str, Any]:
        """{"wall_seconds", "goodput", "seconds_of": {part: seconds}} of the whole run."""
        return {"wall_seconds": self.wall, "goodput": self.goodput, "seconds_of": dict(self._parts)}

    def to_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "wall": self.wall, "parts": dict(self._parts)}

    def restore(self, saved: Mapping[str, Any], *, lost: float) -> None:
        """Goes on counting; `lost` = wall seconds that were spent after the checkpoint and whose steps are gone."""
        self._loop_before, self._wall_before = saved["seconds"], saved["wall"] + lost
        self._parts = {name: saved["parts"].get(name, 0.0) for name in PARTS}
