"""MiniWorld's rooms and mazes."""

from collections.abc import Mapping

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.names import snake_case, unversioned
from data_pipelines.suites.base.suite import Source, Suite, Task

_WORLDS = (
    "CollectHealth-v0", "FourRooms-v0", "Hallway-v0", "Maze-v0", "MazeS2-v0", "MazeS3-v0", "MazeS3Fast-v0",
    "OneRoom-v0", "OneRoomS6-v0", "OneRoomS6Fast-v0", "PickupObjects-v0", "PutNext-v0", "RoomObjects-v0",
    "Sidewalk-v0", "Sign-v0", "TMaze-v0", "TMazeLeft-v0", "TMazeRight-v0", "ThreeRooms-v0", "WallGap-v0",
    "YMaze-v0", "YMazeLeft-v0", "YMazeRight-v0",
)  # fmt: skip
_WITHOUT_GOAL = ("CollectHealth-v0", "RoomObjects-v0")
_NOT_DEMONSTRATED = (*_WITHOUT_GOAL, "PutNext-v0", "ThreeRooms-v0")
"""Two have no goal, one gives no reward, and in one a box must be carried past others."""

_SECONDS: Mapping[str, float] = {"Maze-v0": 6.0, "PickupObjects-v0": 6.0, "Sidewalk-v0": 7.0}
_BARS: Mapping[str, float] = {"PickupObjects-v0": 5.0, "Sign-v0": 1.0}
"""Returns of those who did everything; elsewhere reaching the goal gives more than 0.8."""

EXPERT = "A* over exact moves"


def _task(world: str) -> Task:
    name = f"miniworld.{snake_case(unversioned(world))}"

    def environment() -> Environment:
        from data_pipelines.suites.miniworld.environment import MiniWorldEnvironment

        return MiniWorldEnvironment(name, identifier=f"MiniWorld-{world}", has_goal=world not in _WITHOUT_GOAL)

    def expert():
        from data_pipelines.suites.miniworld.expert import MiniWorldExpert

        return MiniWorldExpert()

    demonstrated = world not in _NOT_DEMONSTRATED
    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"MiniWorld-{world}", expert=EXPERT if demonstrated else "",
        requires="miniworld", reads="privileged: the rooms, and where things are" if demonstrated else "",
        make_environment=environment, make_expert=expert if demonstrated else None, draws=True,
        bar=_BARS.get(world, 0.8), episodes=60, chunk=10, seconds=_SECONDS.get(world, 1.0),
    )  # fmt: skip


SUITE = Suite(
    domain="miniworld",
    extra="worlds",
    packages=("miniworld", "pyglet"),
    needs_opengl=True,
    episode_steps=250,
    optional=True,
    tasks=tuple(_task(world) for world in _WORLDS),
)
