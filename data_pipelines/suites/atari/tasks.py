"""The games of Atari's benchmark, of which a script plays one, and a planner those of `planning.GAMES`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data_pipelines.mixtures.table1_names import ATARI
from data_pipelines.suites.atari.planning import GAMES
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task
from data_pipelines.suites.planners.predictive_sampling import METHOD, READS
from data_pipelines.suites.planners.settings import described

HELD_OUT = "boxing"
"""What the paper keeps for learning from few episodes."""


def _environment(name: str, rom: str, options: Mapping[str, Any]) -> Callable[[], Environment]:
    def environment() -> Environment:
        from data_pipelines.suites.atari.environment import AtariEnvironment

        return AtariEnvironment(name, rom=rom, **options)

    return environment


def game_task(domain: str, rom: str, **options: Any) -> Task:
    """A game that nobody demonstrates here; `options` are those of its environment."""
    name = f"{domain}.{rom}"
    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"{rom} (ale-py)", expert="", requires="ale_py",
        make_environment=_environment(name, rom, options), held_out=name == f"atari.{HELD_OUT}",
    )  # fmt: skip


def _planned(rom: str) -> Task:
    """A game that is planned."""
    game = GAMES[rom]

    def expert():
        from data_pipelines.suites.atari.expert import planner

        return planner(game.plan)

    return dataclasses.replace(
        game_task("atari", rom), expert=METHOD, reads=READS, make_expert=expert, bar=game.bar, episodes=4, chunk=1,
        seconds=game.seconds, settings=described(game.plan),
    )  # fmt: skip


def _task(rom: str) -> Task:
    if rom == "breakout":
        return _breakout()
    return _planned(rom) if rom in GAMES else game_task("atari", rom)


def _breakout() -> Task:
    name = "atari.breakout"

    def expert():
        from data_pipelines.suites.atari.expert import BreakoutExpert

        return BreakoutExpert()

    # Its data were first recorded so: single frames, and twice as many steps as the script plays, as a policy that
    # never serves would play for half an hour.
    options = {"max_of_two": False, "episode_steps": 2_000}
    return Task(
        name=name, source=Source.ENVIRONMENT, origin="Breakout (ale-py)", expert="script on the console's memory",
        requires="ale_py", reads="privileged: the console's memory",
        make_environment=_environment(name, "breakout", options), make_expert=expert, bar=30.0, episodes=4, chunk=2,
        seconds=5.0, default=True,
    )  # fmt: skip


def game_suite(domain: str, tasks: Sequence[Task]) -> Suite:
    """A suite of games that ale-py plays."""
    return Suite(
        domain=domain, extra="atari", packages=("ale-py",), episode_steps=1000, optional=True, tasks=tuple(tasks)
    )


SUITE = game_suite("atari", [_task(rom) for rom in ATARI])
