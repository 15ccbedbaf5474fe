"""ViZDoom's scenarios for one player."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task

SCENARIOS = (
    "basic", "deadly_corridor", "deathmatch", "defend_the_center", "defend_the_line", "health_gathering",
    "health_gathering_supreme", "my_way_home", "predict_position", "take_cover",
)  # fmt: skip
"""The scenarios that ViZDoom documents as its default ones and that one player plays, as its wheel has them."""


def _task(scenario: str) -> Task:
    name = f"vizdoom.{scenario}"

    def environment() -> Environment:
        from data_pipelines.suites.vizdoom.environment import VizdoomEnvironment

        return VizdoomEnvironment(name, scenario=scenario)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"ViZDoom {scenario}", expert="", requires="vizdoom",
        make_environment=environment,
    )  # fmt: skip


SUITE = Suite(
    domain="vizdoom",
    extra="vizdoom",
    packages=("vizdoom",),
    episode_steps=300,
    optional=True,
    tasks=tuple(_task(scenario) for scenario in SCENARIOS),
)
