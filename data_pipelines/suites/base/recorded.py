"""How demonstrated tasks are recorded, for suites that list this in a table, and what two planners are called there."""

import dataclasses

from data_pipelines.suites.base.suite import Starts

PLANNER = "MPPI planner on mujoco.rollout"
REGULATOR = "linear-quadratic regulator"


@dataclasses.dataclass(frozen=True)
class Recorded:
    """How a demonstrated task is recorded; the fields are those of `Task`."""

    bar: float | None
    episodes: int
    chunk: int
    seconds: float
    starts: Starts | None = None
    default: bool = False
    expert: str = PLANNER
