"""Environments of gymnasium that MuJoCo simulates."""

import logging
from typing import Any

import gymnasium
import mujoco

from data_pipelines.suites.outside.adapter import RENDER_MODE
from data_pipelines.suites.outside.gymnasium_world import GymnasiumWorld, make_registered
from data_pipelines.suites.planners.gymnasium_world import GymnasiumMujocoWorld

SIDE = 256
"""Of pictures as gymnasium draws them, before they are scaled. Its own 480 take four times as long."""

_log = logging.getLogger(__name__)


class MujocoEnvironment(GymnasiumWorld):
    """One id.

    Args:
      name: the task's name in the catalog.
      identifier: the id, such as "Hopper-v5".
      kwargs: of `gymnasium.make`.
    """

    def __init__(self, name: str, *, identifier: str, **kwargs: Any):
        super().__init__(name, None, _make(identifier, {**RENDER_MODE, "width": SIDE, "height": SIDE, **kwargs}))
        _draw_plainly(self.simulation.model)

    @property
    def simulation(self) -> Any:
        """The environment that has MuJoCo's `model` and `data`, which an expert may read."""
        return self._env.unwrapped

    def plannable(self) -> GymnasiumMujocoWorld:
        """A copy of the episode's world, in which a planning expert may try its plans."""
        return GymnasiumMujocoWorld(self.simulation)


def _make(identifier: str, kwargs: dict[str, Any]) -> gymnasium.Env:
    """Makes it; what MuJoCo warns of in the library's models is logged, and not written into the working directory."""
    mujoco.set_mju_user_warning(_log.info)
    try:
        return make_registered(identifier, kwargs)
    finally:
        mujoco.set_mju_user_warning(None)


def _draw_plainly(model: Any) -> None:
    """No shadows, reflections or multisampling, which take most of the time of a picture drawn by a CPU."""
    model.vis.quality.offsamples = 0
    model.light_castshadow[:] = False
    model.mat_reflectance[:] = 0.0
