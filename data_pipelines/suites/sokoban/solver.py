"""Sokoban by A* over pushes; walking between two pushes is a breadth-first search over cells."""

import functools
import itertools
import math

from data_pipelines.suites.planners.search import Limits, Step, search
from data_pipelines.suites.sokoban.rules import Level, State, members, shift, walkable

LIMITS = Limits(nodes=300_000, seconds=20.0, weight=1.5)


def solve(level: Level, state: State, limits: Limits = LIMITS) -> list[int]:
    """The actions that put all boxes on targets.

    Raises:
      NoPlan: the level cannot be solved from here, or not within the limits.
    """
    actions_of = {offset: action for action, offset in level.offsets.items()}
    actions: list[int] = []
    for cell, offset in _pushes(level, state, limits):
        actions += [*_walk(level, state, cell - offset), actions_of[offset]]
        state = State(cell, state.boxes ^ (1 << cell) ^ (1 << (cell + offset)))
    return actions


def _pushes(level: Level, state: State, limits: Limits) -> list[tuple[int, int]]:
    """The box's cell and the offset of every push. A state is the boxes and the cells that the player can walk to."""
    distances = [_push_distances(level, target) for target in members(level.targets)]
    alive = sum(1 << cell for cell in set().union(*distances))

    @functools.cache
    def remaining(boxes: int) -> float:
        """Pushes that are needed if boxes were not in each other's way: the best assignment of boxes to targets."""
        table = [[distance.get(cell, math.inf) for distance in distances] for cell in members(boxes)]
        return min(sum(row[n] for row, n in zip(table, order, strict=True)) for order in orders)

    def successors(node: tuple[int, int]) -> list[Step]:
        boxes, region = node
        found = []
        for offset in level.offsets.values():
            for cell in members(boxes & shift(region, offset) & shift(alive & ~boxes, -offset)):
                after = boxes ^ (1 << cell) ^ (1 << (cell + offset))
                if not _stuck(level, after, cell + offset):
                    found.append(Step((cell, offset), (after, walkable(level, State(cell, after)))))
        return found

    orders = list(itertools.permutations(range(len(distances))))
    return search(
        (state.boxes, walkable(level, state)),
        successors,
        lambda node: node[0] == level.targets,
        heuristic=lambda node: remaining(node[0]),
        limits=limits,
    ).actions


def _push_distances(level: Level, target: int) -> dict[int, int]:
    """Cell -> pushes from there to the target for a box that is alone; cells without a way are left out."""
    distances, front = {target: 0}, [target]
    for cell in front:
        for offset in level.offsets.values():
            before, behind = cell - offset, cell - 2 * offset
            if before not in distances and level.floor >> before & 1 and level.floor >> behind & 1:
                distances[before] = distances[cell] + 1
                front.append(before)
    return distances


def _stuck(level: Level, boxes: int, pushed: int) -> bool:
    """Whether the pushed box completes a square of boxes and walls that nobody can break, not all of it on targets."""
    solid = boxes | ~level.floor
    for down, right in itertools.product((0, -level.width), (0, -1)):
        corner = pushed + down + right
        square = 1 << corner | 1 << (corner + 1) | 1 << (corner + level.width) | 1 << (corner + level.width + 1)
        if square & solid == square and square & boxes & ~level.targets:
            return True
    return False


def _walk(level: Level, state: State, goal: int) -> list[int]:
    """Actions of the shortest walk."""
    free = level.floor & ~state.boxes

    def successors(cell: int) -> list[Step]:
        return [Step(action, cell + offset) for action, offset in level.offsets.items() if free >> (cell + offset) & 1]

    return search(state.player, successors, lambda cell: cell == goal).actions
