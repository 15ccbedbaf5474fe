"""How the games are planned, as data: settings of predictive sampling, and what to read from a console's memory.

An episode costs about sequences x horizon / execute simulated steps for each of its own: 24 with the usual settings. A
life is lost in many games seconds after it was forfeited, so the usual horizon is two seconds of play.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from data_pipelines.suites.planners.predictive_sampling import Sampling

_LIFE = 1_000.0
"""More than a game gives within a horizon, as a rule."""

MEMORY_SOURCE = "Anand et al. (2019), 'Unsupervised State Representation Learning in Atari': ram_annotations.py"
"""Where the addresses come from, unless a cell says otherwise."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A byte of the console's memory that tells how near the next reward is.

    Args:
      address: of the byte, from 0.
      meaning: in a few words.
      weight: reward that one more of it is worth to the planner.
      other: address of a byte from which the distance counts, in place of the value alone; None for none.
    """

    address: int
    meaning: str
    weight: float
    other: int | None = None

    def read(self, memory: UInt8[np.ndarray, "128"]) -> int:
        """The byte, or its distance from the other one."""
        value = int(memory[self.address])
        return value if self.other is None else abs(value - int(memory[self.other]))


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a game is planned.

    Args:
      sampling: settings of the planner.
      memory: what is read, beside the score and the number of lives.
    """

    sampling: Sampling
    memory: tuple[Cell, ...] = ()


USUAL = Plan(Sampling(sequences=7, horizon=32, execute=8, longest_run=12, life=_LIFE))
SHORT = Plan(Sampling(sequences=6, horizon=16, execute=8, longest_run=8, life=_LIFE))
"""For games that answer at once."""

LONG = Plan(Sampling(sequences=10, horizon=40, execute=8, longest_run=14))
"""For games between two sides, where a point takes long."""


@dataclasses.dataclass(frozen=True)
class Game:
    """A game that is planned.

    Args:
      seconds: rough time of an episode.
      bar: an attempt is kept if it scores so much: what people score (Wang et al. 2016, table 2).
      plan: how.
    """

    seconds: float
    bar: float
    plan: Plan = USUAL


GAMES: Mapping[str, Game] = {
    "assault": Game(12.0, 742.0),
    "atlantis": Game(14.0, 29028.1, SHORT),
    "boxing": Game(8.0, 12.1, SHORT),
    "centipede": Game(13.0, 12017.0),
    "chopper_command": Game(40.0, 7387.8),
    "demon_attack": Game(30.0, 1971.0),
    "double_dunk": Game(35.0, -16.4, LONG),
    "fishing_derby": Game(45.0, -38.7, LONG),
    "jamesbond": Game(36.0, 302.8),
    "krull": Game(9.0, 2665.5, SHORT),
    "name_this_game": Game(40.0, 8049.0),
    "road_runner": Game(35.0, 7845.0),
    "space_invaders": Game(16.0, 1668.7),
    "star_gunner": Game(30.0, 10250.0),
    "time_pilot": Game(12.0, 5229.2),
    "up_n_down": Game(70.0, 11693.2),
    "video_pinball": Game(9.0, 17667.9, SHORT),
    "wizard_of_wor": Game(34.0, 4756.5),
}
"""Games in which the planner reached what people score, or was on the way there, in a first look (docs/worlds.md)."""
