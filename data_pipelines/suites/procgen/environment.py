"""Procgen: games whose levels a seed makes."""

import ctypes
import dataclasses
import functools
import pathlib

import dm_env
import numpy as np
import procgen
from jaxtyping import UInt8
from PIL import Image

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.timesteps import after

FRAME_SIZE = (64, 64)
ACTIONS = 15
LEVELS = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class ProcgenState:
    """Where an episode stands: what `ProcgenEnvironment.set_state` continues from.

    Args:
      game: the simulator's own bytes, which hold its clock too: equal pictures need not be equal states.
      frame: the picture.
      steps: taken so far.
      success: whether the level is completed.
    """

    game: bytes
    frame: np.ndarray
    steps: int
    success: bool


class ProcgenEnvironment(Environment):
    """One game. The seed is the level, and an episode is one play of it.

    When an episode ends, the simulator shows the first frame of the next one. Here the last timestep shows the frame
    before.

    Args:
      name: the task's name.
      game: Procgen's name, such as "coinrun".
      mode: Procgen's `distribution_mode`: "easy" or "hard", for some games also "extreme" or "memory".
      episode_steps: after which the game itself ends an episode.
    """

    def __init__(self, name: str, *, game: str, mode: str, episode_steps: int):
        _keep_loaded()
        self._options = {"env_name": game, "distribution_mode": mode}
        self._env: procgen.ProcgenGym3Env | None = None
        self._spec = TaskSpec(
            name=name,
            observation=(ItemSpec("frame", Kind.IMAGE, (*FRAME_SIZE, 3), "uint8"),),
            action=ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=ACTIONS),
            max_episode_steps=episode_steps,
        )
        self._frame = np.zeros((*FRAME_SIZE, 3), np.uint8)
        self._steps, self._success = 0, False

    @property
    def success(self) -> bool:
        """Whether the level was completed."""
        return self._success

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self.close()
        # The simulator takes its levels when it is made. `rand_seed` would choose among several.
        self._env = procgen.ProcgenGym3Env(
            num=1, num_threads=0, num_levels=1, start_level=seed % LEVELS, rand_seed=0, **self._options
        )
        self._steps, self._success = 0, False
        _, observation, _ = self._env.observe()
        self._frame = observation["rgb"][0]
        return dm_env.restart({"frame": self._frame})

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        env = self._running()
        env.act(np.asarray([action], np.int32))
        rewards, observation, first = env.observe()
        self._steps += 1
        reward = float(rewards[0])
        over = bool(first[0])
        if over:
            self._success = bool(env.get_info()[0]["prev_level_complete"])
        else:
            self._frame = observation["rgb"][0]
        timed_out = over and self._steps >= self._spec.max_episode_steps and not self._success
        return after(reward, {"frame": self._frame}, ended=over and not timed_out, cut=timed_out)

    def advance(self, action: int) -> tuple[float, bool]:
        """As `step`, without keeping the picture: the reward, and whether the episode is over."""
        env = self._running()
        env.act(np.asarray([action], np.int32))
        rewards, _, first = env.observe()
        self._steps += 1
        return float(rewards[0]), bool(first[0])

    def get_state(self) -> ProcgenState:
        """The state of the episode, for a search to come back to."""
        (game,) = self._running().callmethod("get_state")
        return ProcgenState(game, self._frame, self._steps, self._success)

    def set_state(self, state: ProcgenState) -> None:
        """Goes back to a state of this game and mode, of any level: what follows is as it would have been."""
        self._running().callmethod("set_state", [state.game])
        self._frame, self._steps, self._success = state.frame, state.steps, state.success

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return np.asarray(Image.fromarray(self._frame).resize((size, size), Image.Resampling.NEAREST))

    def close(self) -> None:
        if self._env is not None:
            self._env.close()
        self._env = None

    def _running(self) -> procgen.ProcgenGym3Env:
        if self._env is None:
            raise RuntimeError(f"task {self._spec.name!r}: no episode was started (reset_to)")
        return self._env


@functools.cache
def _keep_loaded() -> ctypes.CDLL:
    """Keeps Procgen's library in memory: it would be unloaded with each simulator, and read its pictures again."""
    return ctypes.CDLL(str(pathlib.Path(procgen.__file__).parent / "data" / "prebuilt" / "libenv.so"))
