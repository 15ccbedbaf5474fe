"""Meta-World: one robot arm, fifty skills, goals visible in the observation."""

import dm_env
import mujoco
import numpy as np
from jaxtyping import UInt8
from metaworld import env_dict

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.timesteps import after

OBSERVATION_SIZE = 39
ACTION_SIZE = 4


class MetaWorldEnvironment(Environment):
    """One Meta-World v3 task. The reward is 1 on the step of the first success, which ends the episode, else 0.

    The paper reports success rates; a return is then 1 for a success and 0 otherwise.

    Args:
      name: the task's name in the catalog.
      task: Meta-World's name, such as "drawer-close-v3".
      episode_steps: after which episodes are cut.
    """

    def __init__(self, name: str, *, task: str, episode_steps: int):
        self._env = env_dict.ALL_V3_ENVIRONMENTS[task]()
        # As the MT benchmarks set it: the goal is part of the observation, and it moves with the seed.
        self._env._partially_observable = False
        self._env._freeze_rand_vec = False
        self._env._set_task_called = True
        self._env.seeded_rand_vec = True
        self._env.__dict__.pop("sawyer_observation_space", None)  # cached with the goal hidden
        self._spec = TaskSpec(
            name=name,
            observation=(ItemSpec("state", Kind.CONTINUOUS, (OBSERVATION_SIZE,)),),
            action=ItemSpec("action", Kind.CONTINUOUS, (ACTION_SIZE,)),
            max_episode_steps=episode_steps,
        )
        self._steps = 0
        self._success = False
        self._renderer: mujoco.Renderer | None = None
        self._renderer_size = 0

    @property
    def success(self) -> bool:
        return self._success

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self._env.seed(seed)
        observation, _ = self._env.reset()
        self._steps, self._success = 0, False
        return dm_env.restart(self._observation(observation))

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        observation, _, _, _, info = self._env.step(np.clip(np.asarray(action, np.float32), -1.0, 1.0))
        self._steps += 1
        self._success = bool(info["success"])
        return after(
            float(self._success),
            self._observation(observation),
            ended=self._success,
            cut=self._steps >= self._spec.max_episode_steps,
        )

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        if self._renderer is None or self._renderer_size != size:
            self._env.model.vis.quality.offsamples = 0
            self._renderer = mujoco.Renderer(self._env.model, size, size)
            self._renderer_size = size
        self._renderer.update_scene(self._env.data, camera=_camera())
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        return self._renderer.render().copy()

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
        self._env.close()

    def _observation(self, state: np.ndarray) -> dict[str, np.ndarray]:
        return {"state": np.asarray(state, np.float32)}


def _camera() -> mujoco.MjvCamera:
    """An upright view over the table from the front; the suite's own cameras are tilted or upside down."""
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.lookat[:] = (0.0, 0.65, 0.15)
    camera.distance, camera.azimuth, camera.elevation = 1.5, 130.0, -30.0
    return camera
