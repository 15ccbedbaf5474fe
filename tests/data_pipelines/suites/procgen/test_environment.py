"""Procgen: levels, modes, and states to come back to."""

import numpy as np
import pytest

from data_pipelines.suites import catalog
from data_pipelines.suites.procgen.tasks import SUITE
from data_pipelines.suites.procgen_easy.tasks import SUITE as EASY

procgen = pytest.importorskip("procgen", reason="procgen2 is not installed")


@pytest.fixture(scope="module", params=["procgen.coinrun", "procgen_easy.starpilot"])
def env(request):
    environment = catalog.make(request.param)
    yield environment
    environment.close()


def test_games_are_those_of_the_package():
    assert [task.name for task in SUITE.tasks] == [f"procgen.{game}" for game in sorted(procgen.env.ENV_NAMES)]
    assert [task.name for task in EASY.tasks] == [f"procgen_easy.{game}" for game in sorted(procgen.env.ENV_NAMES)]
    easy = [task.name for task in SUITE.tasks if task.origin.endswith(", easy")]
    assert easy == ["procgen.heist", "procgen.maze"]


def test_the_seed_is_the_level(env):
    for seed in (0, 12, 1_000_003):
        env.reset_to(seed)
        assert env._running().get_info()[0]["level_seed"] == seed


def test_a_mode_is_what_the_simulator_has():
    hard, easy = catalog.make("procgen.coinrun"), catalog.make("procgen_easy.coinrun")
    assert (hard.reset_to(4).observation["frame"] != easy.reset_to(4).observation["frame"]).any()
    hard.close(), easy.close()


def test_a_state_is_come_back_to(env):
    rng = np.random.default_rng(0)
    actions = [env.random_action(rng) for _ in range(30)]
    env.reset_to(6)
    for action in actions[:10]:
        env.step(action)
    state = env.get_state()
    first = [env.step(action) for action in actions[10:]]
    env.reset_to(7)
    env.set_state(state)
    again = [env.step(action) for action in actions[10:]]
    for one, other in zip(again, first, strict=True):
        assert (one.reward, one.step_type) == (other.reward, other.step_type)
        np.testing.assert_array_equal(one.observation["frame"], other.observation["frame"])


def test_the_last_timestep_shows_its_own_episode():
    """A level of the maze, stood in until the game ends it."""
    env = catalog.make("procgen.maze")
    timestep = env.reset_to(1)
    while not timestep.last():
        before, timestep = timestep, env.step(4)
    np.testing.assert_array_equal(timestep.observation["frame"], before.observation["frame"])
    assert (timestep.discount, env.success) == (1.0, False)
    assert env._steps == env.spec.max_episode_steps
    env.close()


def test_an_episode_must_have_begun():
    with pytest.raises(RuntimeError, match=r"procgen\.maze.*no episode was started"):
        catalog.make("procgen.maze").step(0)
