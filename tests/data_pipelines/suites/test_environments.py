"""Environments: what they say about themselves is what they do, and an integer names an episode."""

import dm_env
import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.spec import Kind, TaskSpec, lookup
from data_pipelines.suites import catalog
from data_pipelines.suites.base.expert import RandomPolicy

DEFAULT = [task.name for task in catalog.select("default") if task.make_environment is not None]
# Of suites that record nothing by default and draw no observations; the others have such tests of their own.
SAMPLES = (
    "classic_control.pendulum",
    "gymnasium_mujoco.hopper",
    "gymnasium_robotics.fetch_push",
    "minigrid.multi_room_n4_s5",
    "atari.qbert",
    "atari_extended.casino",
    "atari_more.klax",
    "procgen.ninja",
    "procgen_easy.dodgeball",
    "vizdoom.health_gathering_supreme",
)
STEPS = 12


@pytest.fixture(scope="module", params=[*DEFAULT, *SAMPLES])
def env(request):
    task = catalog.get(request.param)
    if not task.installed:
        pytest.skip(f"{task.requires} is not installed")
    environment = catalog.make(request.param)
    yield environment
    environment.close()


def leaves(tree, prefix=()):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def test_observations_are_what_the_spec_says(env):
    episode = run_episode(env, RandomPolicy(), 5, limit=STEPS)
    for timestep in episode.timesteps:
        assert sorted(path for path, _ in leaves(timestep.observation)) == [item.path for item in env.spec.observation]
        for item in env.spec.observation:
            value = lookup(timestep.observation, item.path)
            if item.kind is Kind.TEXT:
                assert isinstance(value, str)
                assert value
                continue
            assert value.shape == item.shape
            assert value.dtype == np.dtype(item.dtype)
            if item.kind is Kind.DISCRETE:
                assert value.min() >= 0
                assert value.max() < item.num_values
            if item.radix:
                assert (value < np.array(item.radix)).all()


def test_the_spec_survives_its_file_and_describes_the_action(env):
    assert TaskSpec.from_json(env.spec.to_json()) == env.spec
    action = env.action_spec()
    assert (action.shape, action.dtype) == (env.spec.action.shape, np.dtype(env.spec.action.dtype))
    for label in run_episode(env, RandomPolicy(), 3, limit=STEPS).labels:
        action.validate(label)


def test_a_seed_names_an_episode_whatever_happened_before(env):
    first = run_episode(env, RandomPolicy(), 11, limit=STEPS)
    run_episode(env, RandomPolicy(), 12, limit=5)
    again = run_episode(env, RandomPolicy(), 11, limit=STEPS)
    assert_equal_episodes(first, again)


def test_seed_and_executed_actions_replay_in_a_new_simulator(env):
    """With noise on the actions: what counts is what was executed."""
    noise = 0.3 if env.spec.action.kind is Kind.CONTINUOUS else 0.0
    run_episode(env, RandomPolicy(), 1, limit=7)
    episode = run_episode(env, RandomPolicy(), 21, noise=noise, limit=STEPS)
    other = catalog.make(env.spec.name)
    timestep = other.reset_to(21)
    for action, expected in zip(episode.executed, episode.timesteps[1:], strict=True):
        timestep = other.step(action)
        assert_equal_timesteps(timestep, expected)
    other.close()


def test_other_seeds_start_elsewhere(env):
    if env.spec.domain.startswith("atari"):
        pytest.skip("the game shows the same picture until the serve")
    starts = {repr(env.reset_to(seed).observation) for seed in range(8)}
    assert len(starts) > 1


def assert_equal_timesteps(left: dm_env.TimeStep, right: dm_env.TimeStep):
    assert left.reward == right.reward
    for (path, a), (_, b) in zip(leaves(left.observation), leaves(right.observation), strict=True):
        np.testing.assert_array_equal(a, b, err_msg="/".join(path))


def assert_equal_episodes(left, right):
    np.testing.assert_array_equal(left.executed, right.executed)
    for a, b in zip(left.timesteps, right.timesteps, strict=True):
        assert_equal_timesteps(a, b)
