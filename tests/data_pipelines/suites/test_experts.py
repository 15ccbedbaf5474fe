"""Demonstrators do their tasks, and do them again when asked."""

import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.planners.mppi import _interpolation

SCRIPTED = [task for task in catalog.select("default") if task.domain in ("metaworld", "babyai")]


@pytest.mark.parametrize("task", SCRIPTED, ids=lambda task: task.name)
def test_scripted_experts_pass_the_bar(task):
    env, expert = task.make_environment(), task.make_expert()
    returns = [run_episode(env, expert, seed).episode_return for seed in (100, 101)]
    assert min(returns) >= task.bar, returns


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


def test_interpolation_joins_knots_and_holds_the_last():
    weights = _interpolation(np.array([0.0, 1.0]), np.array([0.0, 0.25, 1.0, 3.0]))
    np.testing.assert_allclose(weights, [[1, 0], [0.75, 0.25], [0, 1], [0, 1]])


@pytest.mark.skipif(not catalog.get("atari.breakout").installed, reason="ale-py is not installed")
def test_breakout_is_played():
    task = catalog.get("atari.breakout")
    episode = run_episode(task.make_environment(), task.make_expert(), 0, limit=250)
    assert episode.episode_return > 3
