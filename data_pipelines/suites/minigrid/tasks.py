"""MiniGrid's levels beside BabyAI's: of ids that differ in their version the newest.

The six levels called WFC are left out: the wheels of minigrid lack the pictures that they are made from.
"""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.names import snake_case, unversioned
from data_pipelines.suites.base.suite import Source, Suite, Task

_LEVELS = (
    "BlockedUnlockPickup-v0", "DistShift1-v0", "DistShift2-v0", "DoorKey-16x16-v0", "DoorKey-5x5-v0",
    "DoorKey-6x6-v0", "DoorKey-8x8-v0", "Dynamic-Obstacles-16x16-v0", "Dynamic-Obstacles-5x5-v0",
    "Dynamic-Obstacles-6x6-v0", "Dynamic-Obstacles-8x8-v0", "Dynamic-Obstacles-Random-5x5-v0",
    "Dynamic-Obstacles-Random-6x6-v0", "Empty-16x16-v0", "Empty-5x5-v0", "Empty-6x6-v0", "Empty-8x8-v0",
    "Empty-Random-5x5-v0", "Empty-Random-6x6-v0", "Fetch-5x5-N2-v0", "Fetch-6x6-N2-v0", "Fetch-8x8-N3-v0",
    "FourRooms-v0", "GoToDoor-5x5-v0", "GoToDoor-6x6-v0", "GoToDoor-8x8-v0", "GoToObject-6x6-N2-v0",
    "GoToObject-8x8-N2-v0", "KeyCorridorS3R1-v0", "KeyCorridorS3R2-v0", "KeyCorridorS3R3-v0", "KeyCorridorS4R3-v0",
    "KeyCorridorS5R3-v0", "KeyCorridorS6R3-v0", "LavaCrossingS11N5-v0", "LavaCrossingS9N1-v0",
    "LavaCrossingS9N2-v0", "LavaCrossingS9N3-v0", "LavaGapS5-v0", "LavaGapS6-v0", "LavaGapS7-v0", "LockedRoom-v0",
    "MemoryS11-v0", "MemoryS13-v0", "MemoryS13Random-v0", "MemoryS17Random-v0", "MemoryS7-v0", "MemoryS9-v0",
    "MultiRoom-N2-S4-v0", "MultiRoom-N4-S5-v1", "MultiRoom-N6-v0", "ObstructedMaze-1Dl-v0",
    "ObstructedMaze-1Dlh-v0", "ObstructedMaze-1Dlhb-v0", "ObstructedMaze-1Q-v1", "ObstructedMaze-2Dl-v0",
    "ObstructedMaze-2Dlh-v0", "ObstructedMaze-2Dlhb-v1", "ObstructedMaze-2Q-v1", "ObstructedMaze-Full-v1",
    "Playground-v0", "PutNear-6x6-N2-v0", "PutNear-8x8-N3-v0", "RedBlueDoors-6x6-v0", "RedBlueDoors-8x8-v0",
    "SimpleCrossingS11N5-v0", "SimpleCrossingS9N1-v0", "SimpleCrossingS9N2-v0", "SimpleCrossingS9N3-v0", "Unlock-v0",
    "UnlockPickup-v0",
)  # fmt: skip

_WITHOUT_A_GOAL = ("Playground-v0",)


def _task(level: str) -> Task:
    name = f"minigrid.{snake_case(unversioned(level))}"

    def environment() -> Environment:
        from data_pipelines.suites.minigrid.environment import MiniGridEnvironment

        return MiniGridEnvironment(name, level=f"MiniGrid-{level}")

    def expert():
        from data_pipelines.suites.planners.grid_world.expert import GridWorldExpert

        return GridWorldExpert()

    asks = level not in _WITHOUT_A_GOAL
    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"MiniGrid-{level}",
        expert="search over the level's grid" if asks else "", requires="minigrid",
        reads="privileged: the level's grid" if asks else "", make_environment=environment,
        make_expert=expert if asks else None, bar=0.1, episodes=200, chunk=100, seconds=0.05, time_limit=20.0,
    )  # fmt: skip


SUITE = Suite(
    domain="minigrid",
    extra="demo",
    packages=("minigrid",),
    episode_steps=300,
    tasks=tuple(_task(level) for level in _LEVELS),
)
