"""The regulator against the suite's own solver, which knows masses, springs and costs, and where poles fall."""

import numpy as np
from dm_control import suite
from dm_control.suite import lqr_solver

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.dm_control.plannable import DmControlWorld
from data_pipelines.suites.planners.regulator import curvature, linearised, riccati_gain


def test_the_gain_is_that_of_the_suites_own_solver():
    env = suite.load("lqr", "lqr_6_2", task_kwargs={"random": 0})
    env.reset()
    _, expected, _ = lqr_solver.solve(env)
    world = DmControlWorld(env.physics, env.task, env.control_timestep())
    np.testing.assert_allclose(-riccati_gain(*linearised(world), *curvature(world)), expected, rtol=1e-3, atol=1e-3)


def test_two_poles_on_a_cart_stay_up():
    task = catalog.get("gymnasium_mujoco.inverted_double_pendulum")
    episode = run_episode(task.make_environment(), task.make_expert(), 0, limit=200)
    assert len(episode.labels) == 200  # an episode ends where they fall
    assert episode.episode_return > 1800
