"""Who demonstrates tasks with pictures of another size: the expert of the same task from its states."""

from typing import Any

import dm_env
import numpy as np

from data_pipelines.suites.dm_control.expert import make_expert
from data_pipelines.suites.dm_control_pixels.environment import DmControlPixelsEnvironment


class StateExpert:
    """Asks the environment which task it is; `gato record --expert` takes this class by its name."""

    def reset(self, env: DmControlPixelsEnvironment, seed: int) -> None:
        self._expert: Any = make_expert(env.suite_task)
        self._expert.reset(env, seed)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        return self._expert.act(timestep)
