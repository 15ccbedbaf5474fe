"""MiniWorld's rooms and mazes."""

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


def _task(world: str) -> Task:
    name = f"miniworld.{snake_case(unversioned(world))}"

    def environment() -> Environment:
        from data_pipelines.suites.miniworld.environment import MiniWorldEnvironment

        return MiniWorldEnvironment(name, identifier=f"MiniWorld-{world}", has_goal=world not in _WITHOUT_GOAL)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"MiniWorld-{world}", expert="", requires="miniworld",
        make_environment=environment, draws=True,
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
