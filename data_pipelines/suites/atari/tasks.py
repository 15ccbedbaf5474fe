"""Atari games that a script can play."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task


def _breakout() -> Task:
    name = "atari.breakout"

    def environment() -> Environment:
        from data_pipelines.suites.atari.environment import AtariEnvironment

        return AtariEnvironment(name, rom="breakout")

    def expert():
        from data_pipelines.suites.atari.expert import BreakoutExpert

        return BreakoutExpert()

    return Task(
        name=name, source=Source.ENVIRONMENT, origin="Breakout (ale-py)", expert="script on the console's memory",
        requires="ale_py", make_environment=environment, make_expert=expert, bar=30.0, episodes=4, chunk=2,
        seconds=5.0, default=True,
    )  # fmt: skip


SUITE = Suite(
    domain="atari",
    extra="atari",
    packages=("ale-py",),
    episode_steps=1000,
    optional=True,
    tasks=(_breakout(),),
)
