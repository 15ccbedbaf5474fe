"""How Procgen's games are planned, as data: settings of predictive sampling, and what a level tells beside rewards."""

import dataclasses
from collections.abc import Mapping

from data_pipelines.suites.planners.predictive_sampling import Sampling


@dataclasses.dataclass(frozen=True)
class Way:
    """What to go to. The length of the way there counts, through the cells that are not blocked.

    Args:
      weight: reward that a cell less is worth to the planner.
      blocked: types of cells that cannot be passed.
      cells: types of cells to go to, the nearest one first.
      things: types of things to go to while there is no such cell: those of the first type of which there is one.
    """

    weight: float
    blocked: tuple[int, ...]
    cells: tuple[int, ...] = ()
    things: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a game is planned.

    Args:
      sampling: settings of the planner.
      right, up: reward that a cell further to the right, or further up, is worth to the planner.
      way: to where a reward is; None where the rewards are enough.
      supply: place, counted from the end of the state in numbers of four bytes (the last one marks the end), of what an
        episode lasts on, and the reward that all of it is worth; None where there is none.
    """

    sampling: Sampling
    right: float = 0.0
    up: float = 0.0
    way: Way | None = None
    supply: tuple[int, float] | None = None


@dataclasses.dataclass(frozen=True)
class Game:
    """A game that is planned.

    Args:
      seconds: rough time of an episode.
      bar: an attempt is kept if its return is at least this.
      plan: how.
    """

    seconds: float
    bar: float
    plan: Plan


_END = 5.0
"""What an end before its time costs: less than the 10 that completing a level gives."""

RUN = Sampling(sequences=16, horizon=24, execute=6, longest_run=8, end=_END)
WIDE = Sampling(sequences=48, horizon=36, execute=6, longest_run=8, end=_END)
LONG = Sampling(sequences=32, horizon=48, execute=8, longest_run=10, end=_END)

GAMES: Mapping[str, Game] = {
    "bigfish": Game(4.0, 32.0, Plan(LONG)),
    "bossfight": Game(15.0, 10.4, Plan(LONG)),
    "caveflyer": Game(2.5, 10.0, Plan(WIDE, way=Way(0.2, blocked=(8,), things=(1,)))),
    "chaser": Game(6.0, 11.4, Plan(WIDE, way=Way(0.002, blocked=(5,), cells=(1002,)))),
    "climber": Game(5.0, 10.0, Plan(LONG, way=Way(0.15, blocked=(15, 16), things=(1,)))),
    "coinrun": Game(0.5, 10.0, Plan(RUN, right=0.1)),
    "dodgeball": Game(4.0, 15.2, Plan(LONG, way=Way(0.05, blocked=(), things=(4, 5)))),
    "fruitbot": Game(6.0, 21.8, Plan(LONG)),
    "jumper": Game(1.5, 10.0, Plan(WIDE, way=Way(0.2, blocked=(6, 7), things=(1,)))),
    "leaper": Game(0.5, 10.0, Plan(RUN, up=0.2)),
    "miner": Game(8.0, 16.0, Plan(WIDE, way=Way(0.02, blocked=(1, 3), cells=(2, 4), things=(6,)))),
    "ninja": Game(0.5, 10.0, Plan(RUN, right=0.1, up=0.02)),
    "plunder": Game(5.0, 24.0, Plan(LONG, supply=(6, 5.0))),
    "starpilot": Game(2.5, 28.0, Plan(LONG)),
}
"""By game, in the hard mode as in the easy one. Types of cells and things stand in each game's source, src/games/."""
