"""A body acts: what is observed, what a seed names, and when an episode ends."""

import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog, render
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.modular_rl.bodies import BODIES
from data_pipelines.suites.modular_rl.environment import LIMB_VALUES, ModularEnvironment

ONE_OF_EACH = ("walker_7_main", "hopper_3", "cheetah_2_back", "humanoid_2d_7_left_arm")


@pytest.fixture(scope="module", params=ONE_OF_EACH)
def env(request):
    environment = catalog.make(f"modular_rl.{request.param}")
    yield environment
    environment.close()


def test_a_seed_names_an_episode_and_its_actions_replay(env):
    first = run_episode(env, RandomPolicy(), 4, limit=20)
    run_episode(env, RandomPolicy(), 5, limit=5)
    assert len(first.labels) > 5
    other = catalog.make(env.spec.name)
    timestep = other.reset_to(4)
    for action, expected in zip(first.executed, first.timesteps[1:], strict=True):
        timestep = other.step(action)
        assert timestep.reward == expected.reward
        np.testing.assert_array_equal(timestep.observation["limbs"], expected.observation["limbs"])
    other.close()
    assert not np.array_equal(env.reset_to(6).observation["limbs"], env.reset_to(7).observation["limbs"])


def test_what_a_body_observes(env):
    body = env.body
    rows = env.reset_to(0).observation["limbs"].reshape(-1, LIMB_VALUES)
    assert len(rows) == 1 + len(body.limbs) == 1 + env.spec.action.size
    assert rows[0, 0] == 0
    assert rows[0, 2] == pytest.approx(env.physics.data.qpos[1], abs=1e-5)
    np.testing.assert_array_equal(rows[0, 12:], 0)
    low, high = np.array([limb.degrees for limb in body.limbs]).T
    np.testing.assert_allclose(rows[1:, 13], (low + 180) / 360, atol=1e-6)
    angles = np.rad2deg(env.physics.data.qpos[3:])
    np.testing.assert_allclose(rows[1:, 12], (angles - low) / (high - low), atol=1e-5)
    env.physics.data.qvel[:3] = (2.0, 0.5, -3.0)
    env.physics.forward()
    torso = env._observation()["limbs"][:LIMB_VALUES]
    np.testing.assert_allclose(torso[3:9], [2, 0, 0.5, 0, -3, 0], atol=1e-6)


def test_the_reward_is_that_of_the_state(env):
    env.reset_to(3)
    before, action = env.physics.data.qpos[0], np.full(env.spec.action.shape, 0.5, np.float32)
    timestep = env.step(action)
    speed = (env.physics.data.qpos[0] - before) / env.control_timestep
    assert timestep.reward == pytest.approx(env.reward.value(speed, action))


def test_falling_ends_an_episode_and_a_cheetah_goes_on():
    """A walker that turns all its joints one way falls; time alone ends the episode of a body that cannot fall."""
    walker = ModularEnvironment("modular_rl.walker_7_main", body="walker_7_main", episode_steps=1000)
    walker.reset_to(0)
    steps = [walker.step(np.full(6, -0.3))]
    while not steps[-1].last():
        steps.append(walker.step(np.full(6, -0.3)))
    assert len(steps) < 500
    assert steps[-1].discount == 0
    cheetah = ModularEnvironment("modular_rl.cheetah_2_back", body="cheetah_2_back", episode_steps=1000)
    cheetah.reset_to(0)
    cheetah._steps = 999
    assert cheetah.step(np.zeros(1)).discount == 1
    assert cheetah._steps == 1000
    walker.close()
    cheetah.close()


def test_a_body_is_drawn():
    replay = render.replay("modular_rl.walker_7_main", 0, np.zeros((2, 6), np.float32), size=96)
    if replay.frames is None:
        pytest.skip(replay.reason)
    assert replay.frames.shape == (3, 96, 96, 3)
    left, right = np.array([0.35, 0.55, 0.8]), np.array([0.8, 0.5, 0.35])
    assert replay.frames.std() > 20
    assert {hue(left), hue(right)} <= hues(replay.frames[0]), "both legs are in the picture"


def hue(colour: np.ndarray) -> tuple[int, ...]:
    """Channels from weakest to strongest."""
    return tuple(np.argsort(colour).tolist())


def hues(picture: np.ndarray) -> set[tuple[int, ...]]:
    """Hues of the pixels of strong colour."""
    pixels = picture.reshape(-1, 3).astype(int)
    return {hue(pixel) for pixel in pixels if np.ptp(pixel) > 60}


def test_every_body_is_in_the_catalog_with_its_own_action():
    sizes = {name: len(body.limbs) for name, body in BODIES.items()}
    assert sizes["humanoid_2d_9_full"] == 8
    env = catalog.make("modular_rl.humanoid_2d_9_full")
    assert env.action_spec().shape == (8,)
    assert env.observation_spec()["limbs"].shape == (9 * LIMB_VALUES,)
    env.close()


def test_a_body_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"task 'mine\.walker': expected a body among .*found 'walker_8_main'"):
        ModularEnvironment("mine.walker", body="walker_8_main", episode_steps=1000)
