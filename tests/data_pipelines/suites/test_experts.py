"""Demonstrators do their tasks."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog

SCRIPTED = [task for task in catalog.select("default") if task.domain in ("metaworld", "babyai")]


@pytest.mark.parametrize("task", SCRIPTED, ids=lambda task: task.name)
def test_scripted_experts_pass_the_bar(task):
    env, expert = task.make_environment(), task.make_expert()
    returns = [run_episode(env, expert, seed).episode_return for seed in (100, 101)]
    assert min(returns) >= task.bar, returns
