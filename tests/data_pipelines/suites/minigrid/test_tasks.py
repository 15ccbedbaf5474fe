"""Levels are demonstrated, but for the one that asks for nothing."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.minigrid import tasks


def test_one_level_asks_for_nothing():
    assert [task.name for task in tasks.SUITE.tasks if not task.demonstrated] == ["minigrid.playground"]


@pytest.mark.parametrize("level", ["locked_room", "dynamic_obstacles_8x8", "obstructed_maze_2dlhb"])
def test_the_search_passes_the_bar(level):
    task = catalog.get(f"minigrid.{level}")
    env = task.make_environment()
    episode = run_episode(env, task.make_expert(), 0)
    assert env.success
    assert episode.episode_return >= task.bar
