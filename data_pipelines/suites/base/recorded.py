"""How demonstrated tasks are recorded, for suites that list this in a table, and who demonstrates there."""

import dataclasses

from data_pipelines.suites.base.suite import Starts

PLANNER = "MPPI planner on mujoco.rollout"
READS_FUTURE = "privileged: the simulator's state and future"
REGULATOR = "linear-quadratic regulator"
READS_MODEL = "privileged: the simulator's state and model"
SCRIPTED_ARM = "scripted motion of the arm"
READS_POSES = "privileged: the poses of the objects"
TRAINED = "trained policy"
READS_STATE = "privileged: the simulator's state"


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
    reads: str = READS_FUTURE
