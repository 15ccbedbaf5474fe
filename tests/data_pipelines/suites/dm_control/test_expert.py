"""The planner earns reward in the suite's tasks, and the same again when asked again."""

import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog


@pytest.mark.parametrize(
    ("name", "steps", "least"),
    [
        ("dm_control.reacher_easy", 100, 30),
        ("dm_control.point_mass_easy", 250, 10),
        ("dm_control.pendulum_swingup", 0, 0),
        ("dm_control.cartpole_balance", 50, 40),
    ],
)
def test_the_planner_earns_reward(name, steps, least):
    task = catalog.get(name)
    env, expert = task.make_environment(), task.make_expert()
    if not steps:  # swinging up takes long: plan a few steps only
        assert len(run_episode(env, expert, 4, limit=10).labels) == 10
        return
    assert run_episode(env, expert, 4, limit=steps).episode_return >= least


def test_the_planner_repeats_itself():
    task = catalog.get("dm_control.reacher_easy")
    labels = [run_episode(task.make_environment(), task.make_expert(), 9, noise=0.2, limit=20).labels for _ in range(2)]
    np.testing.assert_array_equal(*labels)


def test_the_planner_does_not_touch_the_world():
    task = catalog.get("dm_control.reacher_easy")
    env, expert = task.make_environment(), task.make_expert()
    timestep = env.reset_to(2)
    before = env.physics.get_state()
    expert.reset(env, 2)
    expert.act(timestep)
    np.testing.assert_array_equal(env.physics.get_state(), before)
