"""Scripts for classic control reach the bar of their task."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog


@pytest.mark.parametrize("task", catalog.suite_of("classic_control").tasks, ids=lambda task: task.name)
def test_the_script_reaches_its_bar(task):
    env, expert = task.make_environment(), task.make_expert()
    for seed in (1, 2):
        episode = run_episode(env, expert, seed)
        assert episode.timesteps[-1].last()
        assert episode.episode_return >= task.bar
        assert env.success in (True, None)
    env.close()
