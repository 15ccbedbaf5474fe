"""A demonstrator that plans in an emulator itself: breadth-first over saved states, told apart by their pictures."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import dm_env
import numpy as np

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.search import Limits, NoPlan, Step, search

_SOLVED = b"solved"


@dataclasses.dataclass(frozen=True)
class ScreenSearch:
    """Settings of the search.

    Args:
      actions: that are tried.
      repeat: steps that each of them lasts.
      block: side of the squares, in pixels, of which only the mean colour counts; 1 = every pixel. Larger ones take
        places that are close for the same.
      shades: brightnesses that are told apart.
      limits: of the search.
    """

    actions: tuple[int, ...]
    repeat: int = 1
    block: int = 1
    shades: int = 256
    limits: Limits = dataclasses.field(default_factory=Limits)


class ScreenSearchExpert:
    """Plans at the start of an episode, and plays the plan.

    The environment has `get_state` and `set_state`, an observation `frame` and `success`; its steps follow from state
    and action alone.

    Args:
      settings: of the searches that are tried in turn until one finds a plan: coarse ones, which are fast, come first.

    Raises:
      NoPlan: none of the searches found a plan; the message is the last one's.
    """

    def __init__(self, *settings: ScreenSearch):
        if not settings:
            raise ValueError("a search over screens needs the settings of at least one search")
        self._searches = settings

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        self._env: Any = env
        self._actions: list[int] | None = None

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        if self._actions is None:
            self._actions = self._plan(timestep.observation["frame"])
        return np.asarray(self._actions.pop(0), np.int32)

    def _plan(self, frame: np.ndarray) -> list[int]:
        here = self._env.get_state()
        try:
            for settings in self._searches[:-1]:
                with contextlib.suppress(NoPlan):  # The next one is finer.
                    return self._search(here, frame, settings)
            return self._search(here, frame, self._searches[-1])
        finally:
            self._env.set_state(here)

    def _search(self, here: Any, frame: np.ndarray, settings: ScreenSearch) -> list[int]:
        end = search(
            (here, _view(frame, settings)),
            lambda state: self._successors(state, settings),
            lambda state: state[1] == _SOLVED,
            key=lambda state: state[1],
            limits=settings.limits,
        )
        return [action for actions in end.actions for action in actions]

    def _successors(self, state: tuple[Any, bytes], settings: ScreenSearch) -> Iterator[Step]:
        for action in settings.actions:
            self._env.set_state(state[0])
            actions: list[int] = []
            while len(actions) < settings.repeat:
                timestep = self._env.step(np.int32(action))
                actions.append(action)
                if timestep.last():
                    break
            if not timestep.last():
                after = (self._env.get_state(), _view(timestep.observation["frame"], settings))
                yield Step(tuple(actions), after, len(actions))
            elif self._env.success:
                yield Step(tuple(actions), (None, _SOLVED), len(actions))


def _view(frame: np.ndarray, settings: ScreenSearch) -> bytes:
    """What is told apart of a picture."""
    block, shades = settings.block, settings.shades
    if block == 1 and shades == 256:
        return frame.tobytes()
    height, width = (side // block for side in frame.shape[:2])
    blocks = frame[: height * block, : width * block].reshape(height, block, width, block, -1)
    return (blocks.mean((1, 3)) * (shades / 256)).astype(np.uint8).tobytes()
