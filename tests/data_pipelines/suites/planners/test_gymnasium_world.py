"""Rewards of a copy of a gymnasium environment are those that the environment gave."""

import gymnasium
import numpy as np
import pytest

from data_pipelines.suites.planners.gymnasium_world import GymnasiumMujocoWorld


@pytest.mark.parametrize(
    ("identifier", "tolerance"),
    [
        ("Hopper-v5", 1e-9),  # falls: the step that ends the episode is among them
        ("HalfCheetah-v5", 1e-9),
        ("Reacher-v5", 0.03),  # looks at bodies, which gymnasium leaves one simulation step behind
    ],
)
def test_the_copys_reward_is_the_one_that_the_environment_gave(identifier, tolerance):
    env = gymnasium.make(identifier)
    env.reset(seed=3)
    env.action_space.seed(0)
    world = GymnasiumMujocoWorld(env.unwrapped)
    terminated, rewards = False, []
    for _ in range(40):
        before, action = world.state(), env.action_space.sample()
        _, reward, terminated, _, _ = env.step(action)
        rewards.append(reward)
        state = world.state()
        copied, ends = world.reward(before, state, action)
        assert copied == pytest.approx(reward, abs=tolerance)
        assert ends == terminated
        np.testing.assert_array_equal(world.state(), state)  # the episode is where it was
        if terminated:
            break
    assert np.ptp(rewards) > 0.05
    assert terminated == (identifier == "Hopper-v5")
