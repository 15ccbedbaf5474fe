"""The regulator against the suite's own solver, which knows masses, springs and cost coefficients."""

import numpy as np
from dm_control import suite
from dm_control.suite import lqr_solver

from data_pipelines.suites.dm_control.plannable import DmControlWorld
from data_pipelines.suites.planners.regulator import curvature, linearised, riccati_gain


def test_the_gain_is_that_of_the_suites_own_solver():
    env = suite.load("lqr", "lqr_6_2", task_kwargs={"random": 0})
    env.reset()
    _, expected, _ = lqr_solver.solve(env)
    world = DmControlWorld(env.physics, env.task, env.control_timestep())
    np.testing.assert_allclose(-riccati_gain(*linearised(world), *curvature(world)), expected, rtol=1e-3, atol=1e-3)
