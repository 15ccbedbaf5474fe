"""A small emulator: a cursor in a row of cells, with a trap at one end and a prize at the other."""

import dm_env
import numpy as np
import pytest

from data_pipelines.recording.episodes import ExpertFailed, run_episode
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.screen_search import ScreenSearch, ScreenSearchExpert
from data_pipelines.suites.planners.search import Limits, NoPlan

STAY, LEFT, RIGHT = range(3)


class Row(Environment):
    """Cell 0 ends the episode without, the last cell with success. The clock, which no picture shows, is state too."""

    def __init__(self, cells, faint=False):
        self._faint = faint
        self._cells = cells
        self._spec = TaskSpec(
            "mine.row",
            observation=(ItemSpec("frame", Kind.IMAGE, (2, 2 * cells, 3), "uint8"),),
            action=ItemSpec("action", Kind.DISCRETE, dtype="int32", num_values=3),
            max_episode_steps=100,
        )

    @property
    def success(self):
        return self._cell == self._cells - 1

    def reset_to(self, seed):
        self._cell, self._clock = seed, 0
        return dm_env.restart(self._observation())

    def step(self, action):
        self._cell += {STAY: 0, LEFT: -1, RIGHT: 1}[int(action)]
        self._clock += 1
        end = dm_env.termination if self._cell in (0, self._cells - 1) else dm_env.transition
        return end(float(self.success), self._observation())

    def get_state(self):
        return (self._cell, self._clock)

    def set_state(self, state):
        self._cell, self._clock = state

    def render(self, size):
        return np.zeros((size, size, 3), np.uint8)

    def _observation(self):
        frame = np.full((2, 2 * self._cells, 3), self._clock if self._faint else 0, np.uint8)
        frame[:, 2 * self._cell : 2 * self._cell + 2] = 255
        return {"frame": frame}


@pytest.mark.parametrize(("repeat", "steps"), [(1, 4), (2, 4), (3, 4)])
def test_the_shortest_way_to_the_prize_is_found_and_played(repeat, steps):
    """An action that is repeated ends early with the episode."""
    env = Row(7)
    episode = run_episode(env, ScreenSearchExpert(ScreenSearch((LEFT, RIGHT), repeat=repeat)), 2)
    assert (env.success, episode.episode_return) == (True, 1.0)
    assert [int(action) for action in episode.executed] == [RIGHT] * steps


def test_planning_leaves_the_episode_as_it_was():
    env = Row(7)
    timestep = env.reset_to(3)
    env.step(np.int32(STAY))
    before = env.get_state()
    expert = ScreenSearchExpert(ScreenSearch((LEFT, RIGHT)))
    expert.reset(env, 3)
    expert.act(timestep)
    assert env.get_state() == before == (3, 1)


def test_only_traps_within_reach():
    env, expert = Row(7), ScreenSearchExpert(ScreenSearch((LEFT, STAY)))
    timestep = env.reset_to(2)
    expert.reset(env, 2)
    with pytest.raises(NoPlan, match="all 2 states"):
        expert.act(timestep)


def test_what_differs_faintly_is_the_same_when_few_shades_count():
    """A clock in the background makes every picture a new one, until it is too faint to be told apart."""
    env = Row(7, faint=True)
    exact = ScreenSearchExpert(ScreenSearch((LEFT, STAY), limits=Limits(nodes=50)))
    coarse = ScreenSearchExpert(ScreenSearch((LEFT, STAY), block=2, shades=2, limits=Limits(nodes=50)))
    for expert, message in ((exact, "first 50 states"), (coarse, "all 2 states")):
        timestep = env.reset_to(2)
        expert.reset(env, 2)
        with pytest.raises(NoPlan, match=message):
            expert.act(timestep)


def test_a_finer_search_follows_a_coarse_one():
    """The coarse one sees no difference between two cells, and so no way."""
    coarse, fine = ScreenSearch((LEFT, RIGHT), block=2, shades=1), ScreenSearch((LEFT, RIGHT))
    env = Row(7)
    assert run_episode(env, ScreenSearchExpert(coarse, fine), 2).episode_return == 1.0
    with pytest.raises(ExpertFailed, match="NoPlan"):
        run_episode(env, ScreenSearchExpert(coarse), 2)
    with pytest.raises(ValueError, match="at least one"):
        ScreenSearchExpert()
