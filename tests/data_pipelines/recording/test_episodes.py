"""One attempt in memory: noise beside labels, cut when it hangs, replayed only as it was."""

import time

import dm_env
import numpy as np
import pytest

from data_pipelines.recording.episodes import (
    ExpertFailed,
    ReplayEnvironment,
    TimeLimitExceeded,
    run_episode,
    time_limit,
)
from data_pipelines.suites import catalog
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.base.suite import Noise


class Idle:
    def reset(self, env, seed):
        self._zeros = np.zeros(env.spec.action.shape, np.float32)

    def act(self, timestep):
        return self._zeros


class Broken(Idle):
    def act(self, timestep):
        raise AssertionError("nothing left to explore")


@pytest.fixture(scope="module")
def env():
    return catalog.make("dm_control.point_mass_easy")


def test_noise_moves_what_is_executed_and_leaves_the_labels(env):
    episode = run_episode(env, Idle(), 0, noise=2.0, limit=300)
    labels, executed = np.array(episode.labels), np.array(episode.executed)
    assert not labels.any()
    assert executed.min() == -1.0
    assert executed.max() == 1.0
    assert executed.dtype == np.float32
    quiet = np.array(run_episode(env, Idle(), 0, noise=0.1, limit=500).executed)
    assert 0.08 < quiet.std() < 0.12
    np.testing.assert_array_equal(run_episode(env, Idle(), 0, noise=0.1, limit=20).executed, quiet[:20])


def test_held_noise_pushes_one_way_for_so_many_steps(env):
    pushes = np.array(run_episode(env, Idle(), 0, noise=0.1, hold=5, limit=23).executed)
    blocks = np.split(pushes, [5, 10, 15, 20])
    assert all((block == block[0]).all() for block in blocks)
    assert len({tuple(block[0]) for block in blocks}) == 5


def test_random_actions_take_the_place_of_so_many_labels(env):
    half = run_episode(env, Idle(), 0, noise=0.5, swap=True, limit=200)
    moved = [bool(np.any(action)) for action in half.executed]
    assert 70 < sum(moved) < 130
    assert not np.any(half.labels), "the label stays the expert's"
    assert all(np.any(action) for action in run_episode(env, Idle(), 0, noise=1.0, swap=True, limit=50).executed)
    assert not np.any(run_episode(env, Idle(), 0, noise=0.0, swap=True, limit=50).executed)


def test_a_draw_lasts_a_step_at_least():
    with pytest.raises(ValueError, match=r"noise\.hold must be at least 1 step, found 0"):
        Noise(0.1, 0.2, hold=0)


def test_noise_needs_continuous_actions():
    with pytest.raises(ValueError, match="action noise needs continuous actions, found discrete"):
        run_episode(catalog.make("babyai.go_to_obj"), RandomPolicy(), 0, noise=0.1)


def test_a_cut_episode_ends_in_a_truncation(env):
    episode = run_episode(env, Idle(), 0, limit=3)
    assert [timestep.step_type for timestep in episode.timesteps] == [
        dm_env.StepType.FIRST, dm_env.StepType.MID, dm_env.StepType.MID, dm_env.StepType.LAST,
    ]  # fmt: skip
    assert episode.timesteps[-1].discount == 1.0


def test_an_expert_that_raises_is_named(env):
    with pytest.raises(ExpertFailed, match="Broken raised AssertionError: nothing left to explore"):
        run_episode(env, Broken(), 0)


def hang():
    while True:
        pass


def test_a_hang_is_cut():
    started = time.monotonic()
    with pytest.raises(TimeLimitExceeded), time_limit(0.05):
        hang()
    assert time.monotonic() - started < 2.0
    with time_limit(0.05):
        pass
    time.sleep(0.1)  # the alarm is off again


def test_replay_gives_the_episode_back_and_nothing_else(env):
    episode = run_episode(env, RandomPolicy(), 1, limit=4)
    replay = ReplayEnvironment(env)
    with pytest.raises(ValueError, match="no episode"):
        replay.reset()
    replay.load(episode)
    timesteps = [replay.reset(), *(replay.step(action) for action in episode.executed)]
    for timestep, expected in zip(timesteps, episode.timesteps, strict=True):
        np.testing.assert_array_equal(timestep.observation["position"], expected.observation["position"])
    assert not replay.label.any()
    replay.reset()
    np.testing.assert_array_equal(replay.label, episode.labels[0])
    with pytest.raises(ValueError, match="not the recorded one"):
        replay.step(episode.executed[0] + 0.5)
