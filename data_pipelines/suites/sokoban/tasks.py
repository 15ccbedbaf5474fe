"""Three sizes of Sokoban. `boxoban` is the paper's: ten rows, four boxes."""

import dataclasses

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task
from data_pipelines.suites.sokoban.generator import Generator

SOLVED = 2.0
"""Return that only a solved level reaches: one that is not solved takes all 120 steps, which cost 12."""


def _task(task: str, *, size: int, boxes: int, episodes: int, chunk: int) -> Task:
    name = f"sokoban.{task}"

    generator = Generator(size=size, boxes=boxes)

    def environment() -> Environment:
        from data_pipelines.suites.sokoban.environment import SokobanEnvironment

        return SokobanEnvironment(name, generator=generator)

    def expert():
        from data_pipelines.suites.sokoban.expert import SokobanExpert

        return SokobanExpert()

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"Sokoban of our own, {size}x{size}, {boxes} boxes",
        expert="A* over pushes", requires="", reads="privileged: the level's grid", make_environment=environment,
        make_expert=expert, bar=SOLVED, episodes=episodes, chunk=chunk, seconds=0.1,
        time_limit=30.0, settings={"generator": dataclasses.asdict(generator)},
    )  # fmt: skip


SUITE = Suite(
    domain="sokoban",
    packages=("numpy",),
    episode_steps=45,
    tasks=(
        _task("boxoban", size=10, boxes=4, episodes=100, chunk=25),
        _task("size_7_boxes_2", size=7, boxes=2, episodes=300, chunk=100),
        _task("size_10_boxes_3", size=10, boxes=3, episodes=150, chunk=50),
    ),
)
