"""Predictive sampling, in an emulator of a few lines."""

import dm_env
import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.predictive_sampling import PredictiveSamplingExpert, Sampling

LEFT, STAY, RIGHT = range(3)
STEPS = 40
TINY = Sampling(sequences=12, horizon=8, execute=2, longest_run=4)


class Corridor(Environment):
    """A walk along places from 0. There is 1 point at each of `points`, once; a step onto a pit costs a life of two."""

    def __init__(self, points=(), pits=()):
        self._spec = TaskSpec(
            "mine.corridor",
            observation=(ItemSpec("place", Kind.CONTINUOUS, (1,)),),
            action=ItemSpec("action", Kind.DISCRETE, num_values=3, dtype="int32"),
            max_episode_steps=STEPS,
        )
        self._points, self._pits = frozenset(points), pits

    def reset_to(self, seed):
        self.set_state((0, 2, frozenset(), 0))
        return dm_env.restart(self._observation())

    def step(self, action):
        reward, over = self.advance(int(action))
        make = dm_env.termination if over else dm_env.transition
        return make(reward, self._observation())

    def advance(self, action):
        self.place += action - 1
        fell = self.place in self._pits
        if fell:
            self.lives, self.place = self.lives - 1, 0
        reward = float(self.place in self._points - self._taken)
        self._taken |= {self.place}
        self._steps += 1
        return reward, self.lives == 0 or self._steps >= STEPS

    def get_state(self):
        return self.place, self.lives, self._taken, self._steps

    def set_state(self, state):
        self.place, self.lives, self._taken, self._steps = state

    def render(self, size):
        return np.zeros((size, size, 3), np.uint8)

    def _observation(self):
        return {"place": np.array([self.place], np.float32)}


def played(env, settings=TINY, seed=0, **options):
    return run_episode(env, PredictiveSamplingExpert(settings, **options), seed)


def test_what_is_in_sight_is_taken():
    assert played(Corridor(points=(3, 5, -4))).episode_return == 3.0


def test_what_is_beyond_the_horizon_needs_a_value():
    far = Corridor(points=(25,))
    assert played(far).episode_return == 0.0
    assert played(far, value=lambda env: 0.01 * env.place).episode_return == 1.0


def test_a_life_is_worth_what_the_settings_say():
    def lives_left(life):
        env = Corridor(points=(1, 4), pits=(2, 3))
        played(env, Sampling(sequences=12, horizon=8, execute=2, life=life), lives=lambda env: env.lives)
        return env.lives

    assert lives_left(100.0) == 2
    greedy = Corridor(points=(0,), pits=(1,))  # The only point lies where one wakes up after a fall.
    assert played(greedy, lives=lambda env: env.lives).episode_return == 1.0


def test_an_end_before_its_time_is_worth_what_the_settings_say():
    def steps(end):
        env = Corridor(points=(0,), pits=(2,))
        return len(played(env, Sampling(sequences=12, horizon=8, execute=2, end=end)).labels)

    assert steps(end=10.0) == STEPS


def test_the_same_seed_plays_the_same_episode():
    def actions(seed):
        return np.array(played(Corridor(points=(3, 5, 9)), seed=seed).labels).tolist()

    assert actions(1) == actions(1)
    assert actions(1) != actions(2)


def test_planning_leaves_the_episode_where_it_was():
    env = Corridor(points=(3,))
    timestep = env.reset_to(0)
    expert = PredictiveSamplingExpert(TINY)
    expert.reset(env, 0)
    for _ in range(5):
        before = env.get_state()
        action = expert.act(timestep)
        assert env.get_state() == before
        timestep = env.step(action)


def test_only_the_actions_that_are_named_are_tried():
    episode = played(Corridor(points=(3,)), actions=lambda env: [STAY, RIGHT])
    assert set(np.array(episode.labels).tolist()) <= {STAY, RIGHT}
    assert episode.episode_return == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sequences": 0}, "sequences must be at least 1, found 0"),
        ({"execute": 9, "horizon": 8}, r"execute must be at most horizon \(8\), found 9"),
        ({"discount": 1.5}, r"discount lies in \[0, 1\], found 1.5"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)
