"""The rules of Sokoban, on sets of cells that are stored as the bits of an integer.

Cell `row * width + column` is bit `1 << cell`. A level is enclosed by walls, so a set that is shifted by a cell never
wraps around an edge.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

STAY, UP, DOWN, LEFT, RIGHT = range(5)
"""The actions. A move against a box pushes it, if the cell behind it is free."""

STEP_REWARD, BOX_REWARD, ALL_REWARD = -0.1, 1.0, 10.0
"""A step; a box that comes onto a target (or, negative, leaves it); all boxes on targets (Racaniere et al., 2017)."""


class State(NamedTuple):
    """What moves: the player's cell, and the set of boxes."""

    player: int
    boxes: int


@dataclasses.dataclass(frozen=True)
class Level:
    """A room, and where its episode starts.

    Args:
      height, width: in cells, walls included.
      floor: set of cells that are no wall.
      targets: set of cells where the boxes belong.
      start: player and boxes.

    Raises:
      ValueError: floor at the edge, more or fewer boxes than targets, something inside a wall.
    """

    height: int
    width: int
    floor: int
    targets: int
    start: State

    def __post_init__(self):
        if self.floor & ~inner_cells(self.height, self.width):
            raise ValueError("a Sokoban level must be enclosed by walls, found floor at its edge")
        if self.start.boxes.bit_count() != self.targets.bit_count() or not self.targets:
            raise ValueError(
                f"expected as many boxes as targets, at least one, found {self.start.boxes.bit_count()} and "
                f"{self.targets.bit_count()}"
            )
        player = 1 << self.start.player
        if (self.targets | self.start.boxes | player) & ~self.floor or player & self.start.boxes:
            raise ValueError("player, boxes and targets must be on the floor, and the player on no box")

    @property
    def offsets(self) -> dict[int, int]:
        """Action -> what it adds to the player's cell."""
        return {UP: -self.width, DOWN: self.width, LEFT: -1, RIGHT: 1}

    @classmethod
    def from_text(cls, text: str) -> "Level":
        """Lines of `#` wall, blank floor, `.` target, `$` box, `*` box on target, `@` player, `+` player on target."""
        lines = text.strip("\n").split("\n")
        width = max(map(len, lines))
        signs = "".join(line.ljust(width) for line in lines)
        if set(signs) - set("# .$*@+") or sum(sign in "@+" for sign in signs) != 1:
            raise ValueError(f"expected a level of the signs '# .$*@+' with one player, found {text!r}")

        def cells(of: str) -> int:
            return sum(1 << cell for cell, sign in enumerate(signs) if sign in of)

        player = cells("@+").bit_length() - 1
        return cls(len(lines), width, cells(" .$*@+"), cells(".*+"), State(player, cells("$*")))

    def to_text(self, state: State | None = None) -> str:
        """As `from_text` reads it."""
        state = state or self.start
        signs = []
        for cell in range(self.height * self.width):
            bit = 1 << cell
            if not self.floor & bit:
                signs.append("#")
            elif state.boxes & bit:
                signs.append("*" if self.targets & bit else "$")
            elif cell == state.player:
                signs.append("+" if self.targets & bit else "@")
            else:
                signs.append("." if self.targets & bit else " ")
        return "\n".join("".join(signs[row * self.width : (row + 1) * self.width]) for row in range(self.height))


def move(level: Level, state: State, action: int) -> State:
    """What an action does; what cannot be done does nothing."""
    if action == STAY:
        return state
    offset = level.offsets[action]
    player = state.player + offset
    if not level.floor >> player & 1:
        return state
    if not state.boxes >> player & 1:
        return State(player, state.boxes)
    behind = player + offset
    if not (level.floor & ~state.boxes) >> behind & 1:
        return state
    return State(player, state.boxes ^ (1 << player) ^ (1 << behind))


def solved(level: Level, state: State) -> bool:
    """Whether all boxes are on targets."""
    return state.boxes == level.targets


def reward(level: Level, before: State, after: State) -> float:
    """Of one step."""
    gained = (after.boxes & level.targets).bit_count() - (before.boxes & level.targets).bit_count()
    return STEP_REWARD + BOX_REWARD * gained + ALL_REWARD * solved(level, after)


def walkable(level: Level, state: State) -> int:
    """The set of cells that the player can walk to without a push."""
    free = level.floor & ~state.boxes
    region, width = 1 << state.player, level.width
    while True:
        grown = (region | region << 1 | region >> 1 | region << width | region >> width) & free
        if grown == region:
            return region
        region = grown


def shift(cells: int, offset: int) -> int:
    """A set of cells, each moved by an offset."""
    return cells << offset if offset > 0 else cells >> -offset


def members(cells: int) -> Iterator[int]:
    """The cells of a set, in ascending order."""
    while cells:
        lowest = cells & -cells
        yield lowest.bit_length() - 1
        cells ^= lowest


def inner_cells(height: int, width: int) -> int:
    """All cells that are not at the edge."""
    row = ((1 << (width - 2)) - 1) << 1
    return sum(row << width * number for number in range(1, height - 1))
