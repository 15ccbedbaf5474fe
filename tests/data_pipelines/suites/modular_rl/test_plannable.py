"""The copy of a body's world in which plans are tried: the same rewards, and the same end."""

import numpy as np

from data_pipelines.suites import catalog


def test_the_copys_reward_is_the_one_that_the_environment_gives_until_the_body_falls():
    env = catalog.make("modular_rl.walker_3_main")
    timestep = env.reset_to(5)
    world = env.plannable()
    rng = np.random.default_rng(0)
    while not timestep.last():
        before, action = world.state(), env.random_action(rng)
        timestep = env.step(action)
        reward, ends = world.reward(before, world.state(), action)
        np.testing.assert_allclose(reward, timestep.reward, atol=1e-6)
        assert ends == timestep.last()
    assert timestep.discount == 0.0  # it fell
    env.close()
