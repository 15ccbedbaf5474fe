"""The arm's tasks: all of the suite's, their features as ours, and one episode for one seed."""

import numpy as np
from dm_control import manipulation

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.catalog import catalog, make


def test_every_task_is_here_and_says_whether_it_draws():
    tasks = {task.origin.split()[-1]: task for task in catalog().values() if task.domain == "dm_control_manipulation"}
    assert sorted(tasks) == sorted(manipulation.ALL)
    assert len(tasks) == 25
    assert {name for name, task in tasks.items() if task.draws} == set(manipulation.get_environments_by_tag("vision"))


def test_a_seed_names_an_episode_whatever_happened_before():
    env = make("dm_control_manipulation.reach_site_features")
    item = {item.key: item for item in env.spec.observation}["jaco_arm/joints_pos"]
    first = run_episode(env, RandomPolicy(), 5, limit=5)
    run_episode(env, RandomPolicy(), 6, limit=3)
    again = run_episode(env, RandomPolicy(), 5, limit=5)
    np.testing.assert_array_equal(first.executed, again.executed)
    for one, other in zip(first.timesteps, again.timesteps, strict=True):
        value = one.observation["jaco_arm"]["joints_pos"]
        assert value.shape == item.shape
        np.testing.assert_array_equal(value, other.observation["jaco_arm"]["joints_pos"])
    env.step(np.ones(9, np.float32))
    np.testing.assert_allclose(env.physics.data.ctrl, env.physics.model.actuator_ctrlrange[:, 1])
    env.close()


def test_no_order_of_bricks_is_left_from_the_episode_before():
    env = make("dm_control_manipulation.reassemble_5_bricks_random_order_features")
    env.task._initial_order[:] = [4, 3, 2, 1, 0]
    env._prepare(5)
    assert env.task._initial_order.tolist() == [0, 1, 2, 3, 4]
    env.close()
