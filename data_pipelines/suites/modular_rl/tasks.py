"""Huang et al.'s 38 bodies, which are the paper's row Modular RL."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.dm_control.tasks import make_suite
from data_pipelines.suites.modular_rl.bodies import BODIES

EPISODE_STEPS = 1000


def _task(body: str) -> Task:
    name = f"modular_rl.{body}"

    def environment() -> Environment:
        from data_pipelines.suites.modular_rl.environment import ModularEnvironment

        return ModularEnvironment(name, body=body, episode_steps=EPISODE_STEPS)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"modular body {body}", expert="", requires="dm_control",
        make_environment=environment,
    )  # fmt: skip


SUITE = make_suite("modular_rl", map(_task, BODIES), episode_steps=EPISODE_STEPS)
