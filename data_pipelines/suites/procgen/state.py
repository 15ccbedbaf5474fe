"""What a saved state of Procgen contains: the things of a level, and its grid.

The layout is that of Procgen 0.10.7, src/game.cpp, src/basic-abstract-game.cpp, src/entity.cpp and src/grid.h. Random
generators are texts; all else are numbers of four bytes.
"""

import dataclasses
import struct

import numpy as np
from jaxtyping import Int

PLAYER = 0
"""Type of the agent."""

THING = np.dtype(
    {
        "names": ["x", "y", "vx", "vy", "type", "health"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "<i4", "<f4"],
        "offsets": [0, 4, 8, 12, 24, 104],
        "itemsize": 31 * 4,
    }
)
"""Position and velocity in cells, of which y goes up; what it is, as the game numbers it; and what it still bears."""

_OPTIONS = 12 + 5
"""Numbers between the name of the game and the first random generator."""

_CLOCKS = 15 + 1
"""Numbers between the second random generator and the things: clocks, seeds, size of the grid."""

_LOOK, _VIEW = 19, 9
"""Numbers before and behind the third random generator, between the things and the grid."""


@dataclasses.dataclass(frozen=True)
class Level:
    """A level as it stands.

    Args:
      things: as `THING`, the agent among them.
      grid: what is in each cell, as the game numbers it; 100 is nothing in most games.
    """

    things: np.ndarray
    grid: Int[np.ndarray, "height width"]

    @property
    def agent(self) -> np.void:
        """The agent among the things."""
        return self.things[self.things["type"] == PLAYER][0]


def read_level(state: bytes) -> Level:
    """The level in `ProcgenState.game`.

    Raises:
      ValueError: the state is not laid out so.
    """
    try:
        place = _behind_text(state, 4) + 4 * _OPTIONS  # Behind version and name.
        for _ in range(2):
            place = _behind_text(state, place + 4)  # Before the text it says whether the generator is seeded.
        place += 4 * _CLOCKS
        things = np.frombuffer(state, THING, _int(state, place), place + 4)
        place = _behind_text(state, place + 4 + things.nbytes + 4 * _LOOK + 4) + 4 * _VIEW
        width, height, cells = struct.unpack_from("<3i", state, place)
        grid = np.frombuffer(state, "<i4", cells, place + 12).reshape(height, width)
    except (struct.error, ValueError) as error:
        raise ValueError(
            f"a state of {len(state)} bytes is laid out unlike those of Procgen 0.10.7: {error}"
        ) from error
    return Level(things, grid)


def _int(state: bytes, place: int) -> int:
    return struct.unpack_from("<i", state, place)[0]


def _behind_text(state: bytes, place: int) -> int:
    """Where a text ends that begins with its length."""
    return place + 4 + _int(state, place)
