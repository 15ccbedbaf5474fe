"""The suite's quadruped/escape, which as it is shipped cannot be reset where nothing can draw.

Its task uploads the new terrain to the renderer at every reset, and by asking for the renderer makes one.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from dm_control.rl import control
from dm_control.suite import common, quadruped

_TIME_LIMIT = 20.0  # seconds
_CONTROL_TIMESTEP = 0.02  # seconds
_FLOOR = 40  # metres


class _Physics(quadruped.Physics):
    """While an episode is reset, there is a renderer only if something was drawn before."""

    _resetting = False

    @contextlib.contextmanager
    def reset_context(self) -> Iterator[Any]:
        self._resetting = True
        try:
            with super().reset_context() as physics:
                yield physics
        finally:
            self._resetting = False

    @property
    def contexts(self) -> Any:
        return self._contexts if self._resetting else super().contexts


def load(*, seed: int) -> control.Environment:
    """As `suite.load("quadruped", "escape", {"random": seed})` makes it."""
    model = quadruped.make_model(floor_size=_FLOOR, terrain=True, rangefinders=True)
    physics = _Physics.from_xml_string(model, common.ASSETS)
    return control.Environment(
        physics, quadruped.Escape(random=seed), time_limit=_TIME_LIMIT, control_timestep=_CONTROL_TIMESTEP
    )
