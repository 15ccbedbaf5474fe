"""Tasks of the suite that differ from the others in how they load, begin or end."""

import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.base.expert import RandomPolicy


@pytest.fixture
def make():
    """Makes environments that are closed behind the test."""
    made = []

    def make(name):
        made.append(catalog.make(name))
        return made[-1]

    yield make
    for env in made:
        env.close()


def test_escape_starts_without_a_renderer_on_the_terrain_of_its_seed(make):
    env = make("dm_control.quadruped_escape")

    def start(seed):
        env.reset_to(seed)
        return env.physics.model.hfield_data.copy()

    first = start(3)
    assert first.std() > 0.05
    assert (start(4) != first).any()
    np.testing.assert_array_equal(start(3), first)


def test_a_task_without_limits_of_action_and_time_gets_them(make):
    env = make("dm_control.lqr_lqr_6_2")
    assert (env.spec.action.low, env.spec.action.high) == (-1.0, 1.0)
    episode = run_episode(env, RandomPolicy(), 0)
    assert len(episode.labels) == env.spec.max_episode_steps == 1000
    assert episode.timesteps[-1].discount == 1.0


def test_a_planner_finds_the_physics_and_the_reward(make):
    env = make("dm_control.cheetah_run")
    env.reset_to(0)
    timestep = env.step(np.ones(6, np.float32))
    assert env.task.get_reward(env.physics) == timestep.reward
    assert env.physics.data.time == pytest.approx(env.control_timestep)
