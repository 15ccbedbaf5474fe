"""Who plays Procgen: a search over saved states in mazes that are shown whole, a planner in the other games."""

import collections
import functools
import struct

import numpy as np
from jaxtyping import Float

from data_pipelines.suites.planners.predictive_sampling import PredictiveSamplingExpert
from data_pipelines.suites.planners.screen_search import ScreenSearch, ScreenSearchExpert
from data_pipelines.suites.planners.search import Limits
from data_pipelines.suites.procgen.environment import ProcgenEnvironment
from data_pipelines.suites.procgen.planning import Plan, Way
from data_pipelines.suites.procgen.state import Level, read_level

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


def searcher(game: str) -> ScreenSearchExpert:
    """The expert of "maze" or "heist" in the easy mode, where the picture shows the whole level."""
    return ScreenSearchExpert(*_SEARCHES[game])


def planner(plan: Plan) -> PredictiveSamplingExpert:
    """The expert of a game that has a line in `planning.GAMES`."""
    guided = plan.right or plan.up or plan.way or plan.supply
    return PredictiveSamplingExpert(plan.sampling, value=functools.partial(_value, plan) if guided else None)


def _value(plan: Plan, env: ProcgenEnvironment) -> float:
    """What the level says beside the rewards."""
    state = env.get_state().game
    level = read_level(state)
    value = float(plan.right * level.agent["x"] + plan.up * level.agent["y"])
    if plan.way:
        value -= plan.way.weight * _remaining(plan.way, level)
    if plan.supply:
        place, worth = plan.supply
        value += worth * struct.unpack_from("<f", state, len(state) - 4 * place)[0]
    return value


def _remaining(way: Way, level: Level) -> float:
    """Cells from the agent to where the way leads; 0 where that is nowhere."""
    goals = np.argwhere(np.isin(level.grid, way.cells))
    for kind in way.things:
        if not len(goals):
            things = level.things[level.things["type"] == kind]
            goals = np.stack([things["y"], things["x"]], axis=1).astype(int)
    blocked = np.isin(level.grid, way.blocked)
    # What leaves the grid counts as at its edge.
    last = np.array(blocked.shape) - 1
    lengths = _lengths(blocked.tobytes(), blocked.shape, np.clip(goals, 0, last).tobytes())
    row, column = np.clip([int(level.agent["y"]), int(level.agent["x"])], 0, last)
    return float(lengths[row, column])


@functools.lru_cache(maxsize=256)
def _lengths(blocked: bytes, shape: tuple[int, int], goals: bytes) -> Float[np.ndarray, "height width"]:
    """Cells to the nearest goal from each cell; where there is no way, more than any way has."""
    walls = np.frombuffer(blocked, bool).reshape(shape)
    starts = [tuple(goal) for goal in np.frombuffer(goals, int).reshape(-1, 2).tolist()]
    lengths = np.full(shape, float(walls.size) if starts else 0.0)
    for start in starts:
        lengths[start] = 0.0
    frontier = collections.deque(starts)
    while frontier:
        row, column = frontier.popleft()
        for after in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            inside = 0 <= after[0] < shape[0] and 0 <= after[1] < shape[1]
            if inside and not walls[after] and lengths[after] > lengths[row, column] + 1:
                lengths[after] = lengths[row, column] + 1
                frontier.append(after)
    return lengths
