"""The Jaco arm does its jobs, as the suite's own reward says."""

import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.dm_control_manipulation import expert
from data_pipelines.suites.dm_control_manipulation.tasks import DEMONSTRATED, SUITE


def test_features_and_pictures_of_a_task_have_the_same_expert():
    named = {task.name.partition(".")[2].rpartition("_")[0] for task in SUITE.tasks if task.demonstrated}
    assert named == set(DEMONSTRATED) == set(expert.SCRIPTS)
    assert len([task for task in SUITE.tasks if task.demonstrated]) == 2 * len(DEMONSTRATED)


@pytest.mark.parametrize("job", ["reach_site", "place_brick", "stack_2_bricks"])
def test_the_job_is_done(job):
    task = catalog.get(f"dm_control_manipulation.{job}_features")
    env = task.make_environment()
    episode = run_episode(env, task.make_expert(), 1)
    env.close()
    assert env.success
    assert episode.timesteps[-1].reward == pytest.approx(1.0)
    assert episode.episode_return >= task.bar


def test_a_brick_that_slips_is_taken_again():
    """It is taken out of the hand while that rises, and put back on the table."""
    env = catalog.make("dm_control_manipulation.lift_brick_features")
    script = expert.ScriptedArm("lift_brick")
    timestep = env.reset_to(0)
    script.reset(env, 0)
    brick = expert.Brick(env.physics, env.task._prop)
    slipped = False
    while not timestep.last():
        timestep = env.step(script.act(timestep))
        if not slipped and brick.place[2] > 0.03:
            env.task._prop.set_pose(env.physics, position=brick.place * [1, 1, 0], quaternion=[1, 0, 0, 0])
            slipped = True
    env.close()
    assert slipped
    assert env.success


def test_a_brick_is_grasped_where_the_fingers_have_room():
    """Another brick lies where they would come down in the middle of it."""

    class Lying:
        def __init__(self, place):
            self.place, self.axes, self.yaw = np.array(place), np.eye(3), 0.0

    class Arm:
        yaw = 0.1

    brick, other = Lying([0.0, 0.0, 0.0]), Lying([-0.06, 0.05, 0.0])
    at = expert._pick(Arm(), brick)[1]
    assert at.place().tolist() == [0.0, 0.0, 0.012]
    assert at.yaw() == 0.0
    beside = expert._pick(Arm(), brick, [expert.beside(other)])[1]
    rooms = [expert._room(brick, one.yaw(), one.place()[1], expert.beside(other)) for one in (at, beside)]
    assert rooms[1] > rooms[0]
