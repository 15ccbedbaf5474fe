"""Three sizes of Sokoban. `boxoban` is the paper's: ten rows, four boxes."""

import dataclasses

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task
from data_pipelines.suites.sokoban.generator import Generator


def _task(task: str, *, size: int, boxes: int, bar: float, episodes: int, chunk: int, seconds: float) -> Task:
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
        expert="A* over pushes", requires="", make_environment=environment, make_expert=expert, bar=bar,
        episodes=episodes, chunk=chunk, seconds=seconds, time_limit=30.0,
        settings={"generator": dataclasses.asdict(generator)},
    )  # fmt: skip


SUITE = Suite(
    domain="sokoban",
    packages=("numpy",),
    episode_steps=45,
    tasks=(
        _task("boxoban", size=10, boxes=4, bar=6.0, episodes=100, chunk=25, seconds=0.5),
        _task("size_7_boxes_2", size=7, boxes=2, bar=6.0, episodes=300, chunk=100, seconds=0.1),
        _task("size_10_boxes_3", size=10, boxes=3, bar=6.0, episodes=150, chunk=50, seconds=0.3),
    ),
)
