"""The reward and the end of an episode, by hand."""

import numpy as np

from data_pipelines.suites.modular_rl.bodies import CHEETAH, HUMANOID, WALKER
from data_pipelines.suites.modular_rl.reward import LocomotionReward


def test_forward_alive_and_control():
    reward = LocomotionReward(alive=1.0, control_cost=0.5)
    assert reward.value(2.0, np.array([1.0, -1.0])) == 2.0
    plans = reward.value(np.zeros((3, 4)), np.full((3, 4, 2), 0.5))
    np.testing.assert_allclose(plans, np.full((3, 4), 0.75))


def test_falling_ends_where_the_ancestors_end():
    up, low, leaning = np.array([7.0, 1.2, 0.9]), np.array([7.0, 0.7, 0.0]), np.array([7.0, 1.2, -1.1])
    assert WALKER.reward.is_up(np.stack([up, low, leaning]), 1.25).tolist() == [True, False, False]
    assert HUMANOID.reward.is_up(np.array([0.0, 1.0, 0.0]), 1.4)
    assert not HUMANOID.reward.is_up(np.array([0.0, 0.9, 0.0]), 1.4)
    assert CHEETAH.reward.is_up(np.array([0.0, -1.0, 3.0]), 0.7)
