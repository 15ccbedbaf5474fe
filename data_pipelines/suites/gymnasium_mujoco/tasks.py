"""The MuJoCo environments of gymnasium."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.names import snake_case, unversioned
from data_pipelines.suites.base.suite import Source, Suite, Task

_IDS = (
    "Ant-v5", "HalfCheetah-v5", "Hopper-v5", "Humanoid-v5", "HumanoidStandup-v5", "InvertedDoublePendulum-v5",
    "InvertedPendulum-v5", "Pusher-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5",
)  # fmt: skip


def _task(identifier: str) -> Task:
    name = f"gymnasium_mujoco.{snake_case(unversioned(identifier))}"

    def environment() -> Environment:
        from data_pipelines.suites.gymnasium_mujoco.environment import MujocoEnvironment

        return MujocoEnvironment(name, identifier=identifier)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=identifier, expert="", requires="gymnasium",
        make_environment=environment,
    )  # fmt: skip


SUITE = Suite(
    domain="gymnasium_mujoco",
    extra="demo",
    packages=("gymnasium", "mujoco"),
    needs_opengl=True,
    episode_steps=1000,
    tasks=tuple(_task(identifier) for identifier in _IDS),
)
