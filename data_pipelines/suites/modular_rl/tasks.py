"""Huang et al.'s 38 bodies, which are the paper's row Modular RL."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task
from data_pipelines.suites.dm_control.tasks import ABSENT, PACKAGES
from data_pipelines.suites.modular_rl.bodies import BODIES


def _task(body: str) -> Task:
    name = f"modular_rl.{body}"

    def environment() -> Environment:
        from data_pipelines.suites.modular_rl.environment import ModularEnvironment

        return ModularEnvironment(name, body=body)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"modular body {body}", expert="", requires="dm_control",
        make_environment=environment,
    )  # fmt: skip


SUITE = Suite(
    domain="modular_rl",
    packages=PACKAGES,
    needs_opengl=True,
    episode_steps=1000,
    optional=ABSENT,
    tasks=tuple(_task(body) for body in BODIES),
)
