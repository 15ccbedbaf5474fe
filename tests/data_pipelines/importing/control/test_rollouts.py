"""Episodes of real environments: what is recorded replays to the same observations and rewards."""

import gymnasium
import numpy as np
import pytest
from dm_control import suite

from data_pipelines.importing.control import ControlOptions, import_episodes, record_dm_env, record_gymnasium
from data_pipelines.spec import Kind
from data_pipelines.storage.recorded_tasks import read_task


def test_gymnasium(tmp_path, layouts):
    env, rng = gymnasium.make("Pendulum-v1"), np.random.default_rng(0)

    def policy(observation):
        return rng.uniform(-2, 2, 1).astype(np.float32)

    episodes = list(record_gymnasium(env, policy, episodes=3, seed=5, max_steps=30))
    for number, episode in enumerate(episodes):
        observation, _ = env.reset(seed=5 + number)
        np.testing.assert_array_equal(observation, episode["observation"][0])
        for step, action in enumerate(episode["action"]):
            observation, reward, *_ = env.step(action)
            np.testing.assert_array_equal(observation, episode["observation"][step + 1])
            assert reward == pytest.approx(episode["reward"][step], rel=1e-6)
        assert len(episode["action"]) == 30
        assert not episode["terminal"]
    options = ControlOptions(action_low=-2, action_high=2)
    import_episodes(episodes, tmp_path, "gymnasium.pendulum", options=options, progress=lambda progress: None)
    stored = list(layouts.read_steps(tmp_path, "gymnasium.pendulum"))
    for ours, episode in zip(stored, episodes, strict=True):
        np.testing.assert_array_equal(ours["observation/observation"], episode["observation"])
        np.testing.assert_array_equal(ours["action"][:-1], episode["action"])


def test_a_world_of_numbers_that_ends(tmp_path):
    """Scalar discrete observations and actions, and an episode that the environment itself ends."""
    env = gymnasium.make("CliffWalking-v1")
    actions = iter([0, *[1] * 11, 2])
    episodes = list(record_gymnasium(env, lambda observation: next(actions), episodes=1))
    assert episodes[0]["terminal"]
    assert episodes[0]["observation"].tolist() == [36, *range(24, 36), 47]
    options = ControlOptions(num_values={"observation": 48, "action": 4})
    import_episodes(episodes, tmp_path, "gymnasium.cliff", options=options, progress=lambda progress: None)
    spec = read_task(tmp_path, "gymnasium.cliff").spec
    assert (spec.action.kind, spec.action.num_values, spec.action.shape) == (Kind.DISCRETE, 4, ())
    assert spec.observation[0].num_values == 48


def test_dm_env(tmp_path):
    env = suite.load("cartpole", "balance", task_kwargs={"random": 0, "time_limit": 0.2})
    zero = np.zeros(env.action_spec().shape)
    episodes = list(record_dm_env(env, lambda timestep: zero, episodes=2))
    again = suite.load("cartpole", "balance", task_kwargs={"random": 0, "time_limit": 0.2})
    for episode in episodes:
        timestep, total = again.reset(), 0.0
        for key, values in timestep.observation.items():
            np.testing.assert_array_equal(values, episode["observation"][key][0])
        while not timestep.last():
            timestep = again.step(zero)
            total += timestep.reward
        assert episode["reward"].sum() == pytest.approx(total, rel=1e-5)
        np.testing.assert_array_equal(timestep.observation["position"], episode["observation"]["position"][-1])
        assert not episode["terminal"]
    summary = import_episodes(episodes, tmp_path, "dm_control.mine", progress=lambda progress: None)
    assert summary.observation == {"position": "continuous [3]", "velocity": "continuous [2]"}
    assert "note: 'velocity': float64 -> each value becomes the nearest float32" in summary.notes
