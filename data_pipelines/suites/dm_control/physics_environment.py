"""Environments of dm_control's two benchmarks, with what an expert may look at."""

from typing import Any

from data_pipelines.suites.outside.dm_env_world import DmEnv


class PhysicsEnvironment(DmEnv):
    """An environment that dm_control made. Arguments are those of `DmEnv`."""

    @property
    def physics(self) -> Any:
        """The simulation, which a planning expert may read."""
        return self._env.physics

    @property
    def task(self) -> Any:
        """dm_control's task, whose `get_reward(physics)` a planning expert may ask."""
        return self._env.task

    @property
    def control_timestep(self) -> float:
        """Seconds between two actions."""
        return self._env.control_timestep()
