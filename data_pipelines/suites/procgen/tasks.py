"""Procgen in the paper's modes."""

import dataclasses

from data_pipelines.mixtures.table1_names import PROCGEN
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task
from data_pipelines.suites.planners.predictive_sampling import METHOD, READS
from data_pipelines.suites.planners.settings import described
from data_pipelines.suites.procgen.planning import GAMES

EPISODE_STEPS = {"bigfish": 6_000, "bossfight": 4_000, "leaper": 500, "maze": 500, "plunder": 4_000}
"""When these games end an episode themselves; the others do after 1,000 steps."""

EASY_IN_THE_PAPER = ("heist", "maze")
"""The paper's data are of the hard mode, except for these."""

SEARCHED = ("heist", "maze")
"""Games whose easy levels a search solves; completing one gives 10."""


def _task(domain: str, game: str, mode: str) -> Task:
    name = f"{domain}.{game}"

    def environment() -> Environment:
        from data_pipelines.suites.procgen.environment import ProcgenEnvironment

        return ProcgenEnvironment(name, game=game, mode=mode, episode_steps=EPISODE_STEPS.get(game, 1_000))

    played = Task(
        name=name, source=Source.ENVIRONMENT, origin=f"Procgen {game}, {mode}", expert="", requires="procgen",
        reads=READS, make_environment=environment, episodes=60, chunk=10, time_limit=60.0,
    )  # fmt: skip
    if game in SEARCHED and mode == "easy":

        def searcher():
            from data_pipelines.suites.procgen.expert import searcher

            return searcher(game)

        return dataclasses.replace(
            played, expert="breadth-first over saved states", make_expert=searcher, bar=10.0, seconds=1.0
        )
    if game in GAMES:
        plan = GAMES[game].plan

        def planner():
            from data_pipelines.suites.procgen.expert import planner

            return planner(plan)

        return dataclasses.replace(
            played, expert=METHOD, make_expert=planner, bar=GAMES[game].bar, seconds=GAMES[game].seconds,
            settings=described(plan),
        )  # fmt: skip
    return dataclasses.replace(played, reads="")


def game_suite(domain: str, *, easy: tuple[str, ...], counts: bool = True) -> Suite:
    """All games; those of `easy` in the easy mode, the others in the hard one. Each game counts once."""
    return Suite(
        domain=domain,
        extra="procgen",
        install=(
            'pip install -e ".[procgen]" && pip install --no-deps --require-hashes -r constraints-worlds-nodeps.txt'
        ),
        packages=("procgen2",),
        episode_steps=300,
        optional=True,
        counts=counts,
        tasks=tuple(_task(domain, game, "easy" if game in easy else "hard") for game in PROCGEN),
    )


SUITE = game_suite("procgen", easy=EASY_IN_THE_PAPER)
