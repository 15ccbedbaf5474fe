"""The MuJoCo environments of gymnasium."""

import dataclasses
from collections.abc import Mapping

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.names import snake_case, unversioned
from data_pipelines.suites.base.suite import Source, Suite, Task

_IDS = (
    "Ant-v5", "HalfCheetah-v5", "Hopper-v5", "Humanoid-v5", "HumanoidStandup-v5", "InvertedDoublePendulum-v5",
    "InvertedPendulum-v5", "Pusher-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Recorded:
    """How a demonstrated task is recorded; the fields are those of `Task`."""

    expert: str
    bar: float
    episodes: int
    chunk: int
    seconds: float


_REGULATOR = "linear-quadratic regulator"

DEMONSTRATED: Mapping[str, Recorded] = {
    "InvertedPendulum-v5": Recorded(_REGULATOR, bar=950, episodes=20, chunk=10, seconds=0.2),
    "InvertedDoublePendulum-v5": Recorded(_REGULATOR, bar=9000, episodes=20, chunk=10, seconds=0.3),
    "Reacher-v5": Recorded("MPPI planner on mujoco.rollout", bar=-10, episodes=50, chunk=10, seconds=2),
}
"""Ids that `expert` plays."""


def _task(identifier: str) -> Task:
    name = f"gymnasium_mujoco.{snake_case(unversioned(identifier))}"

    def environment() -> Environment:
        from data_pipelines.suites.gymnasium_mujoco.environment import MujocoEnvironment

        return MujocoEnvironment(name, identifier=identifier)

    def expert():
        from data_pipelines.suites.gymnasium_mujoco.expert import EXPERTS

        return EXPERTS[identifier]()

    recorded = DEMONSTRATED.get(identifier)
    return Task(
        name=name, source=Source.ENVIRONMENT, origin=identifier, requires="gymnasium", make_environment=environment,
        make_expert=expert if recorded else None, **(vars(recorded) if recorded else {"expert": ""}),
    )  # fmt: skip


SUITE = Suite(
    domain="gymnasium_mujoco",
    extra="demo",
    packages=("gymnasium", "mujoco"),
    needs_opengl=True,
    episode_steps=1000,
    tasks=tuple(_task(identifier) for identifier in _IDS),
)
