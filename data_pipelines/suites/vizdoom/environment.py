"""ViZDoom: a first-person view, and buttons to press (an optional dependency: its engine is in part GPL)."""

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

import dm_env
import numpy as np
import vizdoom
from jaxtyping import UInt8

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.pictures import resized
from data_pipelines.suites.base.timesteps import after

FRAME_SIZE = (72, 96)
"""Height and width of the frames, those of the public data of DM Lab."""

FRAME_SKIP = 4
EPISODE_STEPS = 525
"""Where a scenario sets no limit: a minute of play, the limit of most others."""


class VizdoomEnvironment(Environment):
    """One scenario as its configuration has it: its rewards, its buttons that are on or off, its time limit.

    An action says of each button whether it is pressed for the next four frames. When an episode ends, the engine shows
    nothing: the last timestep shows the frame before.

    Args:
      name: the task's name.
      scenario: ViZDoom's name, such as "my_way_home".
      frame_size: height and width of the observed frames, at most 120x160, which is what the engine draws.
    """

    def __init__(self, name: str, *, scenario: str, frame_size: Sequence[int] = FRAME_SIZE):
        height, width = frame_size
        self._size = int(height), int(width)
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="gato-vizdoom-"))
        self._game = self._start(scenario)
        self._buttons = self._game.get_available_buttons()
        self._spec = TaskSpec(
            name=name,
            observation=(ItemSpec("frame", Kind.IMAGE, (*self._size, 3), "uint8"),),
            action=ItemSpec("action", Kind.DISCRETE, (len(self._buttons),), "int32", num_values=2),
            max_episode_steps=-(-self._game.get_episode_timeout() // FRAME_SKIP) or EPISODE_STEPS,
        )
        self._screen = np.zeros((120, 160, 3), np.uint8)
        self._steps = 0

    @property
    def button_names(self) -> list[str]:
        return [button.name for button in self._buttons]

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self._game.set_seed(seed % 2**32)
        self._game.new_episode()
        self._steps = 0
        return dm_env.restart(self._observation())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        reward = float(self._game.make_action(np.asarray(action).astype(float).tolist(), FRAME_SKIP))
        observation = self._observation()
        self._steps += 1
        over = self._game.is_episode_finished()
        return after(
            reward,
            observation,
            ended=over and not self._game.is_episode_timeout_reached(),
            cut=over or self._steps >= self._spec.max_episode_steps,
        )

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return resized(self._screen, (size, size))

    def close(self) -> None:
        self._game.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, scenario: str) -> vizdoom.DoomGame:
        game = vizdoom.DoomGame()
        game.load_config(str(pathlib.Path(vizdoom.scenarios_path) / f"{scenario}.cfg"))
        game.set_available_buttons([one for one in game.get_available_buttons() if vizdoom.is_binary_button(one)])
        game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
        game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        game.set_mode(vizdoom.Mode.PLAYER)
        game.set_window_visible(False)
        game.set_sound_enabled(False)
        # The engine is a process of its own that writes settings and folders to where it is started.
        with contextlib.chdir(self._folder):
            game.init()
        return game

    def _observation(self) -> dict[str, np.ndarray]:
        state = self._game.get_state()
        if state is not None:
            self._screen = state.screen_buffer
        return {"frame": resized(self._screen, self._size)}
