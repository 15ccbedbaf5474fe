"""The stacking scene, mostly without pictures: what is observed, how the tool moves, and what counts as a stack."""

import importlib.util

import numpy as np
import pytest

from data_pipelines.mixtures.table1_names import NAMES
from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog, render
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.rgb_stacking_sim import tasks

WORKSPACE_END = 0.725
"""Metres from the arm to the front of the workspace."""

absent = importlib.util.find_spec("dm_robotics") is None
needs_models = pytest.mark.skipif(absent, reason=f"dm_robotics is not installed: {tasks.SUITE.hint}")


@pytest.fixture(scope="module")
def env():
    from data_pipelines.suites.rgb_stacking_sim.environment import RgbStackingEnvironment

    environment = RgbStackingEnvironment("rgb_stacking_sim.triplet1", triplet=1, episode_steps=400, cameras=False)
    yield environment
    environment.close()


def test_five_triplets_stand_for_the_row():
    names = [f"rgb_stacking_sim.triplet{triplet}" for triplet in (1, 2, 3, 4, 5)]
    assert [task.name for task in tasks.SUITE.tasks] == list(NAMES["RGB Stacking simulator"]) == names
    assert all(catalog.get(name).draws for name in names)


@needs_models
def test_a_seed_names_an_episode_and_its_actions_replay(env):
    first = run_episode(env, RandomPolicy(), 4, limit=20)
    env.reset_to(5)
    timestep = env.reset_to(4)
    assert len(first.labels) == 20
    for action, expected in zip(first.executed, first.timesteps[1:], strict=True):
        timestep = env.step(action)
        assert flat(timestep.observation) == flat(expected.observation)


def flat(tree) -> dict[str, list[float]]:
    """Lists of numbers by their paths."""
    return {
        f"{key}/{rest}".rstrip("/"): values
        for key, value in tree.items()
        for rest, values in (flat(value).items() if isinstance(value, dict) else [("", value.tolist())])
    }


@needs_models
def test_observations_are_what_the_spec_says(env):
    observation = flat(env.reset_to(0).observation)
    assert sorted(observation) == [item.key for item in env.spec.observation]
    assert [len(observation[item.key]) for item in env.spec.observation] == [item.size for item in env.spec.observation]
    np.testing.assert_allclose(observation["sawyer/pinch/pose"], env.tool_pose, atol=1e-6)
    assert observation["gripper/joints/angle"][0] == pytest.approx(0, abs=0.05)


@needs_models
def test_an_episode_begins_with_separate_objects_in_the_basket_and_the_tool_above(env):
    for seed in range(3):
        env.reset_to(seed)
        places = np.stack(list(env.prop_poses.values()))[:, :3]
        assert (np.abs(places[:, :2] - [0.6, 0.0]) < 0.12).all()
        assert (places[:, 2] > 0.05).all()
        assert (places[:, 2] < 0.11).all()
        assert env.tool_pose[2] > 0.2
        assert not env.success


@needs_models
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_tool_moves_along_the_axis_that_is_asked_and_keeps_pointing_down(env, axis):
    """Inwards and downwards from the start: half a second at half speed, which the arm follows 0.1 s late."""
    env.reset_to(1)
    before, action = env.tool_pose, np.zeros(5)
    sign = -1.0 if axis == 2 else np.sign([0.6, 0.0, 0.0][axis] - before[axis])
    action[axis] = 0.5 * sign
    for _ in range(10):
        env.step(action)
    moved = env.tool_pose[:3] - before[:3]
    assert moved[axis] * sign == pytest.approx(0.4 * 0.5 * 0.07, abs=0.002)
    assert np.abs(np.delete(moved, axis)).max() < 0.003
    down = env.physics.named.data.site_xmat[env._scene.pinch].reshape(3, 3)[:, 2]
    assert down[2] < -0.999


@needs_models
def test_the_tool_turns_and_stays_in_its_workspace(env):
    """Half a second at half speed, 0.1 s late. Forwards ends where the workspace does, and 7 mm later at full speed."""
    env.reset_to(1)
    x, y = env.tool_pose[4:6]
    for _ in range(10):
        env.step(np.array([0, 0, 0, 0.5, 0]))
    turn = 2 * (np.arctan2(env.tool_pose[5], env.tool_pose[4]) - np.arctan2(y, x))
    assert turn == pytest.approx(0.4 * 0.5, abs=0.02)
    while env.tool_pose[0] < WORKSPACE_END:
        env.step(np.array([1, 0, 0, 0, 0]))
    for _ in range(5):
        env.step(np.array([1, 0, 0, 0, 0]))
    assert env.tool_pose[0] == pytest.approx(WORKSPACE_END + 0.1 * 0.07, abs=0.003)


@needs_models
def test_the_gripper_closes_and_opens(env):
    env.reset_to(2)
    for _ in range(25):
        env.step(np.array([0, 0, 0, 0, 1.0]))
    assert env.gripper > 0.8
    for _ in range(25):
        env.step(np.array([0, 0, 0, 0, -1.0]))
    assert env.gripper < 0.1


@needs_models
def test_only_red_standing_on_blue_is_rewarded(env):
    """Objects are put by hand: red where the paper wants it, and three other pairs."""
    assert stack(env, top="red", bottom="blue") == 1.0
    assert stack(env, top="red", bottom="green") == 0.0
    assert stack(env, top="green", bottom="blue") == 0.0
    assert stack(env, top="blue", bottom="red") == 0.0


def stack(env, *, top: str, bottom: str) -> float:
    """The reward of a step after `top` was put on `bottom`, both as their models are, and came to rest."""
    env.reset_to(0)
    physics, others = env.physics, {"red", "green", "blue"} - {top, bottom}
    places = {bottom: (0.6, 0.0, 0.075), top: (0.6, 0.0, 0.118), others.pop(): (0.5, 0.1, 0.08)}
    for colour, place in places.items():
        joint = physics.model.body_jntadr[physics.model.name2id(env._scene.props[colour], "body")]
        address, dof = physics.model.jnt_qposadr[joint], physics.model.jnt_dofadr[joint]
        physics.data.qpos[address : address + 7] = (*place, 1, 0, 0, 0)
        physics.data.qvel[dof : dof + 6] = 0
    physics.forward()
    still = np.zeros(5)
    return [env.step(still).reward for _ in range(12)][-1]


@needs_models
def test_the_expert_stacks_and_leaves(env):
    from data_pipelines.suites.rgb_stacking_sim.expert import StackingExpert

    episode = run_episode(env, StackingExpert(), 2, limit=215)
    assert episode.episode_return > 20
    assert env.success
    assert not env.touches_robot("red")
    assert np.abs(episode.labels).max() <= 1


@needs_models
def test_the_scene_is_drawn():
    replay = render.replay("rgb_stacking_sim.triplet1", 0, np.zeros((1, 5), np.float32), size=128)
    if replay.frames is None:
        pytest.skip(replay.reason)
    assert replay.frames.shape == (2, 128, 128, 3)
    pixels = replay.frames[0].reshape(-1, 3).astype(int)
    for channel in range(3):
        others = np.delete(pixels, channel, axis=1).max(axis=1)
        assert (pixels[:, channel] - others > 50).sum() > 10, "red, green and blue objects are in the picture"


@needs_models
def test_a_triplet_that_is_none_is_refused():
    from data_pipelines.suites.rgb_stacking_sim.environment import RgbStackingEnvironment

    with pytest.raises(ValueError, match=r"triplet: expected one of .*found 'rgb_test_triplet6'"):
        RgbStackingEnvironment("mine.stack", triplet=6, episode_steps=400)
