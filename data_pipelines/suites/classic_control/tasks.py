"""The classic control problems of gymnasium, each with a script of a few lines that solves it."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.names import snake_case, unversioned
from data_pipelines.suites.base.suite import Source, Suite, Task


def _task(identifier: str, *, bar: float, ends_at_goal: bool = False) -> Task:
    name = f"classic_control.{snake_case(unversioned(identifier))}"

    def environment() -> Environment:
        from data_pipelines.suites.classic_control.environment import ClassicControlEnvironment

        return ClassicControlEnvironment(name, identifier=identifier, ends_at_goal=ends_at_goal)

    def expert():
        from data_pipelines.suites.classic_control.expert import ScriptedExpert

        return ScriptedExpert(identifier)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=identifier, expert="script", requires="gymnasium",
        reads="the observation", make_environment=environment, make_expert=expert, bar=bar, episodes=60, chunk=30,
        seconds=0.05,
    )  # fmt: skip


SUITE = Suite(
    domain="classic_control",
    extra="demo",
    packages=("gymnasium",),
    episode_steps=200,
    tasks=(
        _task("Acrobot-v1", bar=-200.0, ends_at_goal=True),
        _task("CartPole-v1", bar=475.0),
        _task("MountainCar-v0", bar=-199.0, ends_at_goal=True),
        _task("MountainCarContinuous-v0", bar=90.0, ends_at_goal=True),
        _task("Pendulum-v1", bar=-400.0),
    ),
)
