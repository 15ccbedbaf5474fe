"""Atari games through the Arcade Learning Environment (an optional dependency: ale-py is GPL)."""

import ale_py
import dm_env
import numpy as np
from ale_py import roms
from jaxtyping import UInt8
from PIL import Image

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment

FRAME_SIZE = (80, 64)
"""Height and width of the frames, the shape shown in the paper's figures: 20 patches of 16x16."""

FRAME_SKIP = 4
EPISODE_STEPS = 2_000  # twice what the script plays; a policy that never serves would play for half an hour
MAX_START_NOOPS = 30


class AtariEnvironment(Environment):
    """One game with its minimal action set, frame skip 4, no sticky actions and 0 to 29 no-ops at the start.

    Args:
      name: the task's name in the catalog.
      rom: ale-py's name of the game, such as "breakout".
    """

    def __init__(self, name: str, *, rom: str):
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEInterface()
        self._ale.setFloat("repeat_action_probability", 0.0)
        self._ale.setInt("frame_skip", FRAME_SKIP)
        self._ale.setInt("random_seed", 0)
        path = roms.get_rom_path(rom)
        if path is None:
            raise ValueError(f"task {name!r}: ale-py has no game {rom!r}")
        self._ale.loadROM(path)
        self._actions = self._ale.getMinimalActionSet()
        self._spec = TaskSpec(
            name=name,
            observation=(ItemSpec("frame", Kind.IMAGE, (*FRAME_SIZE, 3), "uint8"),),
            action=ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=len(self._actions)),
            max_episode_steps=EPISODE_STEPS,
        )
        self._steps = 0

    @property
    def ale(self) -> ale_py.ALEInterface:
        """The emulator, whose memory a scripted player may read."""
        return self._ale

    @property
    def action_names(self) -> list[str]:
        return [action.name for action in self._actions]

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self._ale.reset_game()
        for _ in range(np.random.default_rng(seed).integers(MAX_START_NOOPS)):
            self._ale.act(ale_py.Action.NOOP)
        self._steps = 0
        return dm_env.restart(self._observation())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        reward = float(self._ale.act(self._actions[int(action)]))
        self._steps += 1
        if self._ale.game_over():
            return dm_env.termination(reward, self._observation())
        if self._steps >= EPISODE_STEPS:
            return dm_env.truncation(reward, self._observation())
        return dm_env.transition(reward, self._observation())

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return _resize(self._ale.getScreenRGB(), (size, size))

    def _observation(self) -> dict[str, np.ndarray]:
        return {"frame": _resize(self._ale.getScreenRGB(), FRAME_SIZE)}


def _resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))
