"""DeepMind Lab's levels that are public."""

from data_pipelines.mixtures.table1_names import DMLAB
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task


def _task(level: str) -> Task:
    name = f"dmlab.{level}"

    def environment() -> Environment:
        from data_pipelines.suites.dmlab.environment import DmLabEnvironment

        return DmLabEnvironment(name, level=level)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"DeepMind Lab {level}", expert="", requires="deepmind_lab",
        make_environment=environment, draws=True,
    )  # fmt: skip


SUITE = Suite(
    domain="dmlab",
    install="build the Python module of github.com/google-deepmind/lab: there is no wheel of deepmind_lab",
    needs_opengl=True,
    episode_steps=1000,
    optional=True,
    tasks=tuple(_task(level) for level in DMLAB),
)
