"""Procgen's mazes by search: the simulator goes back to a saved state, and the picture shows the whole level."""

from data_pipelines.suites.planners.screen_search import ScreenSearch, ScreenSearchExpert
from data_pipelines.suites.planners.search import Limits

_MOVES = (1, 3, 5, 7)
"""Left, down, up, right."""

_SEARCHES = {
    # A step is a cell.
    "maze": (ScreenSearch(_MOVES, limits=Limits(nodes=20_000, seconds=20.0)),),
    # Four steps are a cell, and so is a block of eight pixels, about. Few shades are enough for most levels.
    "heist": (
        ScreenSearch(_MOVES, repeat=4, block=8, shades=8, limits=Limits(nodes=20_000, seconds=3.0)),
        ScreenSearch(_MOVES, repeat=4, block=8, shades=24, limits=Limits(nodes=60_000, seconds=30.0)),
    ),
}


def make_expert(game: str) -> ScreenSearchExpert:
    """The expert of "maze" or "heist" in the easy mode, where the picture shows the whole level."""
    return ScreenSearchExpert(*_SEARCHES[game])
