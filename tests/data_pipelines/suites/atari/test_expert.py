"""The script that plays Breakout, and the planner of the other games."""

import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.planners.predictive_sampling import Sampling

pytest.importorskip("ale_py", reason="ale-py is not installed")

from data_pipelines.suites.atari import expert, planning


def test_breakout_is_played():
    task = catalog.get("atari.breakout")
    episode = run_episode(task.make_environment(), task.make_expert(), 0, limit=250)
    assert episode.episode_return > 3


def test_a_game_is_planned_and_the_same_seed_plays_the_same_episode():
    env = catalog.make("atari.boxing")
    tiny = planning.Plan(Sampling(sequences=4, horizon=12, execute=6))
    first, again = (run_episode(env, expert.planner(tiny), 3, limit=100) for _ in range(2))
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.episode_return == again.episode_return > 0


def test_memory_says_how_near_a_reward_is():
    memory = np.zeros(128, np.uint8)
    memory[[10, 20]] = 5, 250
    assert planning.Cell(10, "here", 1.0).read(memory) == 5
    assert planning.Cell(10, "here", 1.0, other=20).read(memory) == 245
