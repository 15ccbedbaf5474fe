"""The copy of a suite's world in which plans are tried: the same rewards, and the episode stays untouched."""

import numpy as np
import pytest

from data_pipelines.suites import catalog
from data_pipelines.suites.planners.mppi import MppiExpert
from data_pipelines.suites.planners.own_reward import own_rewards
from data_pipelines.suites.planners.settings import Mppi


@pytest.mark.parametrize(
    "name",
    [
        "dm_control.cartpole_swingup",  # looks at controls
        "dm_control.fish_swim",  # the target is drawn at the reset
        "dm_control.cheetah_run",  # looks at a sensor
        "dm_control.swimmer_swimmer6",
        "dm_control_random_large.walker_walk",  # the body is drawn at the reset
    ],
)
def test_the_copys_reward_is_the_one_that_the_environment_gives_for_the_step(name):
    env = catalog.make(name)
    env.reset_to(5)
    world = env.plannable()
    rng = np.random.default_rng(0)
    states, controls, rewards = [world.state()], [], []
    for _ in range(40):
        action = env.random_action(rng)
        rewards.append(env.step(action).reward)
        states.append(world.state())
        controls.append(action)
    assert np.ptp(rewards) > 1e-6
    steps = np.array([states[:-1]]), np.array([states[1:]]), np.array([controls])
    np.testing.assert_allclose(own_rewards(world, *steps)[0], rewards, rtol=0, atol=1e-9)


def test_an_episode_is_the_same_whether_or_not_somebody_plans_in_it():
    task = catalog.get("dm_control.cartpole_balance")
    planner = MppiExpert(Mppi(horizon=0.3, samples=8, replan=1, timestep=0.02, judged=3))

    def episode(watch):
        env = task.make_environment()
        timestep = env.reset_to(7)
        if watch:
            planner.reset(env, 7)
        rng = np.random.default_rng(1)
        seen = []
        for _ in range(20):
            if watch:
                planner.act(timestep)
            timestep = env.step(env.random_action(rng))
            seen.append(np.concatenate([timestep.observation["position"], [timestep.reward], env.physics.get_state()]))
        return np.array(seen)

    np.testing.assert_array_equal(episode(watch=True), episode(watch=False))
