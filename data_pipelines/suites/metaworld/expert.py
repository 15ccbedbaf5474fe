"""Meta-World's own scripted policies."""

from typing import Any, cast

import dm_env
import numpy as np
from metaworld.policies import ENV_POLICY_MAP

from data_pipelines.suites.base.environment import Environment


class MetaWorldExpert:
    """The scripted policy that Meta-World ships for a task, such as "drawer-close-v3"."""

    def __init__(self, task: str):
        self._policy: Any = cast(Any, ENV_POLICY_MAP[task])()

    def reset(self, env: Environment, seed: int) -> None:
        del env, seed

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        action = self._policy.get_action(timestep.observation["state"])
        return np.clip(action, -1.0, 1.0).astype(np.float32)
