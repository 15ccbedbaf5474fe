"""Gymnasium-Robotics: of ids that differ in version or in how often they reward, one; of aliases the shorter name."""

from collections.abc import Mapping
from typing import Any

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.names import snake_case, unversioned
from data_pipelines.suites.base.recorded import SCRIPTED_ARM, Recorded
from data_pipelines.suites.base.suite import Noise, Source, Suite, Task

_IDS = (
    "AdroitHandDoor-v1", "AdroitHandHammer-v1", "AdroitHandPen-v1", "AdroitHandRelocate-v1", "AntMaze_Large-v5",
    "AntMaze_Large_Diverse_G-v5", "AntMaze_Large_Diverse_GR-v5", "AntMaze_Medium-v5", "AntMaze_Medium_Diverse_G-v5",
    "AntMaze_Medium_Diverse_GR-v5", "AntMaze_Open-v5", "AntMaze_Open_Diverse_G-v5", "AntMaze_Open_Diverse_GR-v5",
    "AntMaze_UMaze-v5", "FetchPickAndPlace-v4", "FetchPush-v4", "FetchReach-v4", "FetchSlide-v4",
    "FrankaKitchen-v1", "HandManipulateBlock-v1", "HandManipulateBlock_BooleanTouchSensors-v1",
    "HandManipulateBlock_ContinuousTouchSensors-v1", "HandManipulateBlockRotateParallel-v1",
    "HandManipulateBlockRotateParallel_BooleanTouchSensors-v1",
    "HandManipulateBlockRotateParallel_ContinuousTouchSensors-v1", "HandManipulateBlockRotateXYZ-v1",
    "HandManipulateBlockRotateXYZ_BooleanTouchSensors-v1", "HandManipulateBlockRotateXYZ_ContinuousTouchSensors-v1",
    "HandManipulateBlockRotateZ-v1", "HandManipulateBlockRotateZ_BooleanTouchSensors-v1",
    "HandManipulateBlockRotateZ_ContinuousTouchSensors-v1", "HandManipulateEgg-v1",
    "HandManipulateEgg_BooleanTouchSensors-v1", "HandManipulateEgg_ContinuousTouchSensors-v1",
    "HandManipulateEggRotate-v1", "HandManipulateEggRotate_BooleanTouchSensors-v1",
    "HandManipulateEggRotate_ContinuousTouchSensors-v1", "HandManipulatePen-v1",
    "HandManipulatePen_BooleanTouchSensors-v1", "HandManipulatePen_ContinuousTouchSensors-v1",
    "HandManipulatePenRotate-v1", "HandManipulatePenRotate_BooleanTouchSensors-v1",
    "HandManipulatePenRotate_ContinuousTouchSensors-v1", "HandReach-v3", "PointMaze_Large-v3",
    "PointMaze_Large_Diverse_G-v3", "PointMaze_Large_Diverse_GR-v3", "PointMaze_Medium-v3",
    "PointMaze_Medium_Diverse_G-v3", "PointMaze_Medium_Diverse_GR-v3", "PointMaze_Open-v3",
    "PointMaze_Open_Diverse_G-v3", "PointMaze_Open_Diverse_GR-v3", "PointMaze_UMaze-v3",
)  # fmt: skip

_SHOWN = "the observation"

DEMONSTRATED: Mapping[str, Recorded] = {
    "FetchReach-v4": Recorded(bar=-10, episodes=40, chunk=20, seconds=0.1, expert=SCRIPTED_ARM, reads=_SHOWN),
    "FetchPush-v4": Recorded(bar=-45, episodes=40, chunk=20, seconds=0.1, expert=SCRIPTED_ARM, reads=_SHOWN),
    "FetchPickAndPlace-v4": Recorded(bar=-40, episodes=40, chunk=20, seconds=0.1, expert=SCRIPTED_ARM, reads=_SHOWN),
}
"""Ids that `fetch` plays. Each of the 50 steps before the goal is reached costs 1."""

_MAZE = Recorded(
    bar=50.0, episodes=40, chunk=20, seconds=0.2, expert="shortest way through the cells, PD controller",
    reads="privileged: the maze's map",
)  # fmt: skip


def _task(identifier: str) -> Task:
    name = f"gymnasium_robotics.{snake_case(unversioned(identifier))}"

    def environment() -> Environment:
        from data_pipelines.suites.gymnasium_robotics.environment import RoboticsEnvironment

        return RoboticsEnvironment(name, identifier=identifier)

    def maze_expert():
        from data_pipelines.suites.planners.point_maze import PointMazeExpert

        return PointMazeExpert()

    def arm_expert():
        from data_pipelines.suites.gymnasium_robotics.fetch import FetchExpert

        return FetchExpert(identifier)

    how: dict[str, Any] = {"expert": ""}
    if identifier.startswith("PointMaze"):
        how = {**vars(_MAZE), "make_expert": maze_expert, "noise": Noise(0.1, 0.6)}
    elif identifier in DEMONSTRATED:
        how = {**vars(DEMONSTRATED[identifier]), "make_expert": arm_expert, "noise": Noise(0.05, 0.3)}
    return Task(
        name=name, source=Source.ENVIRONMENT, origin=identifier, requires="gymnasium_robotics",
        make_environment=environment, **how,
    )  # fmt: skip


SUITE = Suite(
    domain="gymnasium_robotics",
    extra="worlds",
    packages=("gymnasium-robotics", "gymnasium", "mujoco"),
    needs_opengl=True,
    episode_steps=200,
    optional=True,
    tasks=tuple(_task(identifier) for identifier in _IDS),
)
