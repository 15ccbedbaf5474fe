"""The MuJoCo environments of gymnasium."""

from collections.abc import Mapping

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.names import snake_case, unversioned
from data_pipelines.suites.base.recorded import READS_MODEL, REGULATOR, Recorded
from data_pipelines.suites.base.suite import Source, Suite, Task
from data_pipelines.suites.gymnasium_mujoco import planned

_IDS = (
    "Ant-v5", "HalfCheetah-v5", "Hopper-v5", "Humanoid-v5", "HumanoidStandup-v5", "InvertedDoublePendulum-v5",
    "InvertedPendulum-v5", "Pusher-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5",
)  # fmt: skip

DEMONSTRATED: Mapping[str, Recorded] = {
    "InvertedPendulum-v5": Recorded(bar=950, episodes=20, chunk=10, seconds=0.2, expert=REGULATOR, reads=READS_MODEL),
    "InvertedDoublePendulum-v5": Recorded(
        bar=9000, episodes=20, chunk=10, seconds=0.3, expert=REGULATOR, reads=READS_MODEL
    ),
    "Reacher-v5": Recorded(bar=-10, episodes=50, chunk=10, seconds=2),
}
"""Ids that `expert` plays."""


def _task(identifier: str) -> Task:
    name = f"gymnasium_mujoco.{snake_case(unversioned(identifier))}"

    def environment() -> Environment:
        from data_pipelines.suites.gymnasium_mujoco.environment import MujocoEnvironment

        return MujocoEnvironment(name, identifier=identifier)

    def expert():
        from data_pipelines.suites.gymnasium_mujoco.expert import make_expert

        return make_expert(identifier)

    recorded = DEMONSTRATED.get(identifier)
    return Task(
        name=name, source=Source.ENVIRONMENT, origin=identifier, requires="gymnasium", make_environment=environment,
        make_expert=expert if recorded else None, settings=planned.settings(identifier),
        **(vars(recorded) if recorded else {"expert": ""}),
    )  # fmt: skip


SUITE = Suite(
    domain="gymnasium_mujoco",
    extra="demo",
    packages=("gymnasium", "mujoco"),
    needs_opengl=True,
    episode_steps=1000,
    tasks=tuple(_task(identifier) for identifier in _IDS),
)
