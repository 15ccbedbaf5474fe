"""Pictures of a level, 8x8 pixels a cell, drawn here from characters."""

import numpy as np
from jaxtyping import UInt8

from data_pipelines.suites.sokoban.rules import Level, State

TILE = 8

_COLOURS = {
    " ": (28, 26, 32),  # floor
    "#": (112, 104, 96),  # brick
    "-": (72, 66, 62),  # joint
    "o": (208, 64, 64),  # target
    "b": (186, 128, 62),  # box
    "d": (118, 76, 34),  # its edge
    "g": (104, 176, 80),  # box on a target
    "e": (52, 104, 44),  # its edge
    "s": (238, 198, 158),  # skin
    "c": (70, 128, 214),  # coat
}
_FLOOR = ["        "] * 8
_WALL = ["#######-", "#######-", "#######-", "--------", "###-####", "###-####", "###-####", "--------"]
_TARGET = ["        ", "        ", "   oo   ", "  o  o  ", "  o  o  ", "   oo   ", "        ", "        "]
_BOX = ["        ", " dddddd ", " dbbbbd ", " dbddbd ", " dbddbd ", " dbbbbd ", " dddddd ", "        "]
_PLAYER = ["        ", "   ss   ", "   ss   ", "  cccc  ", " sccccs ", "  cccc  ", "  c  c  ", "  c  c  "]


def _tile(*layers: list[str]) -> np.ndarray:
    """Layers of characters as pixels; blanks of a later layer show the earlier one."""
    picture = np.zeros((TILE, TILE, 3), np.uint8)
    for number, layer in enumerate(layers):
        for row, line in enumerate(layer):
            for column, sign in enumerate(line):
                if number == 0 or sign != " ":
                    picture[row, column] = _COLOURS[sign]
    return picture


_BOX_HOME = [line.replace("b", "g").replace("d", "e") for line in _BOX]
_TILES = {
    "#": _tile(_WALL),
    " ": _tile(_FLOOR),
    ".": _tile(_FLOOR, _TARGET),
    "$": _tile(_FLOOR, _BOX),
    "*": _tile(_FLOOR, _BOX_HOME),
    "@": _tile(_FLOOR, _PLAYER),
    "+": _tile(_FLOOR, _TARGET, _PLAYER),
}
_SIGNS = "".join(_TILES)
_STACK = np.stack(list(_TILES.values()))


def picture_size(size: int) -> int:
    """Pixels a side of the picture of a level with `size` rows: whole patches of 16x16."""
    return 2 * TILE * -(-size // 2)


def draw(level: Level, state: State) -> UInt8[np.ndarray, "side side 3"]:
    """A square level. One with an odd number of rows gets one more row and column of wall, below and to the right."""
    size = picture_size(level.width) // TILE
    numbers = np.full((size, size), _SIGNS.index("#"))
    for row, line in enumerate(level.to_text(state).split("\n")):
        numbers[row, : level.width] = [_SIGNS.index(sign) for sign in line]
    return _STACK[numbers].transpose(0, 2, 1, 3, 4).reshape(size * TILE, size * TILE, 3)
