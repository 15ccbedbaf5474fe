"""A profiler trace of some steps: `<run>/profile`, which TensorBoard's profile plugin and Perfetto read."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import jax

DIRECTORY = "profile"


class Profile:
    """Context manager that traces a window of steps on the first host; ends a trace that an interrupt cut short.

    Args:
      window: first step, and number of steps; None = no trace. A session that resumes past the first step traces what
        is left of the window.
    """

    def __init__(self, window: tuple[int, int] | None, out: Path, *, say: Callable[[str], None]):
        first, steps = window or (0, 0)
        self._window = range(first, first + steps) if jax.process_index() == 0 else range(0)
        self._directory, self._say = out / DIRECTORY, say
        self._since: int | None = None

    def boundary(self, step: int, state: Any) -> None:
        """Before step `step`; `state` is that of the step before, which the devices may still compute."""
        if self._since is None and step in self._window:
            jax.block_until_ready(state)
            jax.profiler.start_trace(self._directory)
            self._since = step
        elif self._since is not None and step not in self._window:
            jax.block_until_ready(state)
            self._stop(step)

    def _stop(self, step: int) -> None:
        jax.profiler.stop_trace()
        self._say(f"steps {self._since} to {step - 1} are profiled in {self._directory}")
        self._since = None

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._since is not None:
            jax.profiler.stop_trace()
