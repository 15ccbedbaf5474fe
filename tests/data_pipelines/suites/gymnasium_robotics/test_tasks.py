"""Point mazes are demonstrated."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.gymnasium_robotics import tasks

pytest.importorskip("gymnasium_robotics", reason="gymnasium-robotics is not installed")


def test_point_mazes_and_no_others_have_an_expert():
    demonstrated = [task.name for task in tasks.SUITE.tasks if task.demonstrated]
    assert demonstrated == [task.name for task in tasks.SUITE.tasks if "point_maze" in task.name]
    assert len(demonstrated) == 10


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_point_reaches_the_goal_and_stays_there(noise):
    task = catalog.get("gymnasium_robotics.point_maze_u_maze")
    env = task.make_environment()
    episode = run_episode(env, task.make_expert(), 0, noise=noise)
    env.close()
    assert env.success
    assert episode.episode_return > task.bar
