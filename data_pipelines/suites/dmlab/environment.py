"""DeepMind Lab behind `dm_env`. It has no wheel: whoever wants it builds it.

This file follows the documented interface (`docs/users/python_api.md` of its sources) and **was never run**: no build
of DeepMind Lab was at hand.
"""

import deepmind_lab
import dm_env
import numpy as np
from jaxtyping import UInt8

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.pictures import resized
from data_pipelines.suites.base.timesteps import after
from data_pipelines.suites.dmlab.levels import ACTIONS, FRAME_SIZE, FRAME_SKIP, level_path, task_spec

FRAME, INSTRUCTION = "RGB_INTERLEAVED", "INSTR"


class DmLabEnvironment(Environment):
    """One level. An action lasts four frames.

    Where the episode has ended, the simulator shows nothing: the last timestep shows the observation before.

    Args:
      name: the task's name.
      level: our name of the level, such as "explore_goal_locations_small".
    """

    def __init__(self, name: str, *, level: str):
        self._spec = task_spec(name, level)
        height, width = FRAME_SIZE
        asked = [FRAME, INSTRUCTION][: len(self._spec.observation)]
        config = {"width": str(width), "height": str(height)}
        self._lab = deepmind_lab.Lab(level_path(level), asked, config=config, renderer="software")
        self._actions = np.array(list(ACTIONS.values()), np.intc)
        self._seen: dict[str, np.ndarray | str] = {}
        self._steps = 0

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        # The same episode number each time: levels may differ between the first and the later ones.
        self._lab.reset(episode=0, seed=seed % (2**31 - 1))
        self._steps = 0
        return dm_env.restart(self._observation())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        reward = float(self._lab.step(self._actions[int(action)], num_steps=FRAME_SKIP))
        self._steps += 1
        observation = self._observation()
        return after(
            reward, observation, ended=not self._lab.is_running(), cut=self._steps >= self._spec.max_episode_steps
        )

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return resized(np.asarray(self._seen["frame"]), (size, size))

    def close(self) -> None:
        self._lab.close()

    def _observation(self) -> dict[str, np.ndarray | str]:
        if self._lab.is_running():
            shown = self._lab.observations()
            self._seen = {"frame": np.array(shown[FRAME], np.uint8)}
            if INSTRUCTION in shown:
                self._seen["instruction"] = str(shown[INSTRUCTION])
        return dict(self._seen)
