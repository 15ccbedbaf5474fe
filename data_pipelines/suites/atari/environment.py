"""Atari games through the Arcade Learning Environment (an optional dependency: ale-py is GPL)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import ale_py
import dm_env
import numpy as np
from ale_py import roms
from jaxtyping import UInt8

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.pictures import resized
from data_pipelines.suites.base.timesteps import after

FRAME_SIZE = (80, 64)
"""Height and width of the frames, the shape shown in the paper's figures: 20 patches of 16x16."""

FRAME_SKIP = 4
EPISODE_STEPS = 4_500
"""Five minutes of play at 60 frames a second (Bellemare et al. 2013, "The Arcade Learning Environment")."""

MAX_START_NOOPS = 30
REFUSED = ("combat", "joust", "maze_craze", "warlords")
"""Games for two players that lie in ale-py's wheel, and at which it ends the process."""


@dataclasses.dataclass(frozen=True)
class AtariState:
    """Where an episode stands: what `AtariEnvironment.set_state` continues from."""

    console: Any
    steps: int
    held: Any
    random: Mapping[str, Any]


class AtariEnvironment(Environment):
    """One game: frame skip 4, and 0 to 29 no-ops at the start, drawn from the seed. Rewards are the game's own score.

    Lives are not episodes: an episode ends when the game is over.

    Args:
      name: the task's name.
      rom: ale-py's name of the game, such as "breakout".
      frame_size: height and width of the observed frames; None = the console's own, 210x160 for most games
        and up to 250x160.
      max_of_two: a pixel is the brighter one of the last two frames (Mnih et al. 2015), as many games draw a sprite in
        every other frame only.
      sticky: chance of each of the four frames to repeat the action before (Machado et al. 2018 use 0.25).
      all_actions: all 18 actions of the joystick, instead of those that the game has a use for.
      random_mode: draws one of the game's modes and one of its difficulties for each episode, from the seed.
      episode_steps: episodes are cut after so many.

    Raises:
      ValueError: a game that ale-py does not play, a ROM that is absent, or a chance that is none.
    """

    def __init__(
        self,
        name: str,
        *,
        rom: str,
        frame_size: Sequence[int] | None = FRAME_SIZE,
        max_of_two: bool = True,
        sticky: float = 0.0,
        all_actions: bool = False,
        random_mode: bool = False,
        episode_steps: int = EPISODE_STEPS,
    ):
        if not 0.0 <= sticky < 1.0:
            raise ValueError(f"task {name!r}: sticky is a chance of at least 0 and below 1, found {sticky}")
        self._ale = _console(name, rom)
        self._actions = self._ale.getLegalActionSet() if all_actions else self._ale.getMinimalActionSet()
        self._max_of_two, self._sticky, self._random_mode = max_of_two, sticky, random_mode
        height, width = self._ale.getScreenDims() if frame_size is None else frame_size
        self._size = int(height), int(width)
        self._spec = TaskSpec(
            name=name,
            observation=(ItemSpec("frame", Kind.IMAGE, (*self._size, 3), "uint8"),),
            action=ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=len(self._actions)),
            max_episode_steps=episode_steps,
        )
        self._variants = self._ale.getAvailableModes(), self._ale.getAvailableDifficulties()
        self._mode: tuple[int, int] | None = None
        self._switched_on = self._ale.cloneState(include_rng=True)
        self._steps = 0
        self._held = ale_py.Action.NOOP
        self._rng = np.random.default_rng(0)

    @property
    def ale(self) -> ale_py.ALEInterface:
        """The emulator, whose memory a scripted player may read."""
        return self._ale

    @property
    def mode(self) -> tuple[int, int] | None:
        """Mode and difficulty of the episode; None = the game's own default."""
        return self._mode

    @property
    def action_names(self) -> list[str]:
        return [action.name for action in self._actions]

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self._rng = np.random.default_rng(seed)
        noops = self._rng.integers(MAX_START_NOOPS)
        # A reset alone leaves memory as it is, which some games begin from.
        self._ale.restoreState(self._switched_on)
        if self._random_mode:
            mode, difficulty = (int(self._rng.choice(values)) for values in self._variants)
            self._ale.setMode(mode)
            self._ale.setDifficulty(difficulty)
            self._mode = mode, difficulty
        self._ale.reset_game()
        self._held, self._steps = ale_py.Action.NOOP, 0
        frames = [self._ale.getScreenRGB()]
        for _ in range(noops):
            _, frames = self._act(ale_py.Action.NOOP)
        return dm_env.restart(self._observation(frames))

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        reward, frames = self._act(self._actions[int(action)])
        observation = self._observation(frames)
        self._steps += 1
        return after(reward, observation, ended=self._ale.game_over(), cut=self._steps >= self._spec.max_episode_steps)

    def advance(self, action: int) -> tuple[float, bool]:
        """As `step`, without its picture, which is half of the work: the reward, and whether the episode is over."""
        reward, _ = self._act(self._actions[action], pictures=False)
        self._steps += 1
        return reward, self._ale.game_over() or self._steps >= self._spec.max_episode_steps

    def get_state(self) -> AtariState:
        """The state of the episode, for a search to come back to."""
        console = self._ale.cloneState(include_rng=True)
        return AtariState(console, self._steps, self._held, self._rng.bit_generator.state)

    def set_state(self, state: AtariState) -> None:
        """Goes back to a state of the same episode: what follows is as it would have been.

        The console draws with the next step: until then `render` shows what was on the screen before.
        """
        self._ale.restoreState(state.console)
        self._steps, self._held = state.steps, state.held
        self._rng.bit_generator.state = state.random

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return resized(self._ale.getScreenRGB(), (size, size))

    def _act(self, action: ale_py.Action, *, pictures: bool = True) -> tuple[float, list[np.ndarray]]:
        """Reward and last pictures of the frames of one step."""
        reward, frames = 0, []
        for frame in range(FRAME_SKIP):
            if not self._sticky or self._rng.random() >= self._sticky:
                self._held = action
            reward += self._ale.act(self._held)
            if pictures and frame >= FRAME_SKIP - 1 - self._max_of_two:
                frames.append(self._ale.getScreenRGB())
        return float(reward), frames

    def _observation(self, frames: list[np.ndarray]) -> dict[str, np.ndarray]:
        """The brightest of each pixel, in the observed size."""
        return {"frame": resized(np.maximum.reduce(frames), self._size)}


def _console(name: str, rom: str) -> ale_py.ALEInterface:
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    # Skipped frames and repeated actions are ours: ale-py joins frames by averages only, and it reseeds its chance of a
    # repeated action only with the ROM.
    ale.setFloat("repeat_action_probability", 0.0)
    ale.setInt("frame_skip", 1)
    ale.setInt("random_seed", 0)
    try:
        path = None if rom in REFUSED else roms.get_rom_path(rom)
    except OSError as error:  # Of a folder that the user names, or of an installation that is not whole.
        why = " ".join(str(error).split())
        raise ValueError(
            f"task {name!r}: the ROM {rom}.bin is absent or damaged: {why}; ale-py's own wheel has it, unless "
            "ALE_ROMS_DIR names another folder"
        ) from error
    if path is None:
        raise ValueError(f"task {name!r}: ale-py plays no game {rom!r}")
    ale.loadROM(path)
    return ale
