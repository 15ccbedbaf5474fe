"""Point mazes and the Fetch robot are demonstrated."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.gymnasium_robotics import tasks

pytest.importorskip("gymnasium_robotics", reason="gymnasium-robotics is not installed")


def test_point_mazes_and_three_jobs_of_fetch_have_an_expert():
    demonstrated = {task.name for task in tasks.SUITE.tasks if task.demonstrated}
    mazes = {task.name for task in tasks.SUITE.tasks if "point_maze" in task.name}
    assert len(mazes) == 10
    assert demonstrated == mazes | {f"gymnasium_robotics.fetch_{job}" for job in ("reach", "push", "pick_and_place")}


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_point_reaches_the_goal_and_stays_there(noise):
    task = catalog.get("gymnasium_robotics.point_maze_u_maze")
    env = task.make_environment()
    episode = run_episode(env, task.make_expert(), 0, noise=noise)
    env.close()
    assert env.success
    assert episode.episode_return > task.bar


@pytest.mark.parametrize("job", ["reach", "push", "pick_and_place"])
def test_fetch_does_its_job_and_stays_there_under_noise(job):
    task = catalog.get(f"gymnasium_robotics.fetch_{job}")
    env = task.make_environment()
    for seed, noise in ((0, 0.0), (1, 0.0), (2, 0.2)):
        episode = run_episode(env, task.make_expert(), seed, noise=noise)
        assert env.success
        assert episode.episode_return >= task.bar
    env.close()
