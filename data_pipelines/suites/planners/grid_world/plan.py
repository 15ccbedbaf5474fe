"""Plans in a grid world: a search over what is touched, with a walk before each touch.

Turning and walking are cheap to plan and there is much of it, so they are no states of the search. A state of it is
what picking up, dropping, unlocking and opening a box lead to. Doors that are only closed are opened on the way.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator

from data_pipelines.suites.planners.grid_world.goals import Ending, Goal, PutNext
from data_pipelines.suites.planners.grid_world.world import (
    CLOSED,
    DROP,
    FORWARD,
    INSIDE,
    LEFT,
    LOCKED,
    NOTHING,
    OPEN,
    PICKUP,
    RIGHT,
    TOGGLE,
    GridState,
    GridWorld,
)
from data_pipelines.suites.planners.search import Limits, Node, NoPlan, Step, explore, search

ENDED = GridState(0, 0, NOTHING, (), ())
"""The goal is reached; where everything is then does not matter."""

MOVE_COST, UNLOCK_COST = 6.0, 20.0
"""About what it costs, in steps, to clear an object out of the way, and to fetch a key. A guess may be wrong: plans are
good ones, and not always the shortest."""


@dataclasses.dataclass(frozen=True)
class Touchable:
    """What a search may pick up, open or unlock."""

    objects: frozenset[int]
    doors: frozenset[int]


def plan(world: GridWorld, state: GridState, goal: Goal, *, limits: Limits, drops: int = 8) -> list[int]:
    """The actions that reach a goal.

    What lies on the way is tried first: it alone is touched. Only where that is not enough, everything may be.

    Args:
      world, state: where.
      goal: what for.
      limits: of each of the two searches.
      drops: places for an object that is laid down, the nearest ones.

    Raises:
      NoPlan: there is none, or none was found within the limits.
    """
    if goal.careful:
        return _search(world, state, goal, None, limits, drops)
    _check_possible(world, state, goal)
    try:
        return _search(world, state, goal, _on_the_way(world, state, goal), limits, drops)
    except NoPlan as error:
        if not error.exhausted:
            raise
    everything = Touchable(frozenset(range(len(world.objects))), frozenset(range(len(world.doors))))
    return _search(world, state, goal, everything, limits, drops)


def _search(
    world: GridWorld, start: GridState, goal: Goal, touchable: Touchable | None, limits: Limits, drops: int
) -> list[int]:
    def successors(state: GridState) -> Iterator[Step]:
        poses = _walks(world, state, through_doors=touchable is not None)
        for ending in goal.endings(world, state):
            node = _nearest(world, poses, ending)
            if node is not None:
                actions = (*_primitive(node), *ending.actions)
                yield Step(actions, ENDED, len(actions))
        if touchable is None:
            return
        for cell, action in _touches(world, state, touchable, poses, drops):
            node = _nearest(world, poses, Ending(cell))
            if node is not None:
                actions = (*_primitive(node), action)
                after = state
                for step in actions:
                    after = world.apply(after, step)
                yield Step(actions, after, len(actions))

    def remaining(state: GridState) -> float:
        places = [] if state is ENDED else goal.places(world, state)
        return _rough_way(world, state, places).cost if places else 0.0

    end = search(
        start,
        successors,
        lambda state: state is ENDED,
        key=_key,
        heuristic=remaining if touchable else None,
        limits=limits,
    )
    return [action for actions in end.actions for action in actions]


def _key(state: GridState) -> GridState:
    """A door that is closed and one that is open are the same to a plan."""
    return state._replace(doors=tuple(OPEN if door == CLOSED else door for door in state.doors))


def _touches(
    world: GridWorld, state: GridState, touchable: Touchable, poses: dict[tuple[int, int], Node], drops: int
) -> list[tuple[int, int]]:
    """Cells that may be touched, each with the action."""
    lying = [(number, state.places[number]) for number in sorted(touchable.objects) if state.places[number] >= 0]
    touches = [(cell, TOGGLE) for number, cell in lying if number in world.contents]
    for cell, door in world.door_cells.items():
        if door in touchable.doors and state.doors[door] == LOCKED and world.opens(state, door):
            touches.append((cell, TOGGLE))
    if state.carrying == NOTHING:
        return touches + [(cell, PICKUP) for _, cell in lying]
    places: dict[int, None] = {}
    for cell, direction in poses:  # The nearest pose is the first.
        front = cell + world.offsets[direction]
        if world.empty(state, front):
            places.setdefault(front)
        if len(places) == drops:
            break
    return touches + [(cell, DROP) for cell in places]


def _walks(world: GridWorld, state: GridState, *, through_doors: bool) -> dict[tuple[int, int], Node]:
    """Every cell and direction that can be reached without touching anything, in order of cost."""
    blocked = world.solid.union(state.places)

    def successors(pose: tuple[int, int]) -> Iterator[Step]:
        cell, direction = pose
        yield Step((LEFT,), (cell, (direction - 1) % 4))
        yield Step((RIGHT,), (cell, (direction + 1) % 4))
        front = cell + world.offsets[direction]
        if front in blocked:
            return
        door = world.door_cells.get(front)
        if door is None or state.doors[door] == OPEN:
            yield Step((FORWARD,), (front, direction))
        elif state.doors[door] == CLOSED and through_doors:
            yield Step((TOGGLE, FORWARD), (front, direction), 2)

    return {node.state: node for node in explore((state.cell, state.direction), successors)}


def _nearest(world: GridWorld, poses: dict[tuple[int, int], Node], ending: Ending) -> Node | None:
    """The cheapest walk to where the ending begins."""
    back = world.offsets if ending.facing else (0, 0, 0, 0)
    nodes = [poses.get((ending.cell - back[direction], direction)) for direction in range(4)]
    return min((node for node in nodes if node is not None), key=lambda node: node.cost, default=None)


def _primitive(node: Node) -> list[int]:
    return [action for actions in node.actions for action in actions]


def _on_the_way(world: GridWorld, state: GridState, goal: Goal) -> Touchable:
    """What lies on the cheapest way to the goal: what blocks it, locked doors, their keys, and the ways to these."""
    objects: set[int] = {state.carrying} - {NOTHING}
    if isinstance(goal, PutNext):
        objects |= goal.moved
    doors: set[int] = set()
    pending = [goal.places(world, state)]
    while pending:
        for cell in _rough_way(world, state, pending.pop()).actions:
            if cell in state.places:
                objects.add(state.places.index(cell))
            door = world.door_cells.get(cell)
            if door is None or door in doors or state.doors[door] != LOCKED:
                continue
            doors.add(door)
            keys = [number for number in range(len(world.objects)) if world.fits(number, door)]
            objects.update(keys)
            if state.carrying not in keys:
                pending.append(_outer_places(world, state, keys))
    return Touchable(frozenset(objects), frozenset(doors))


def _check_possible(world: GridWorld, state: GridState, goal: Goal) -> None:
    """Raises `NoPlan` where moving every object at will would not do: a search would take long to find that out."""
    places = goal.places(world, state)
    opened: set[int] = set()
    while True:
        cells = {node.state for node in explore(state.cell, functools.partial(_open_cells, world, state, opened))}
        if not places or any({place, *(place + offset for offset in world.offsets)} & cells for place in places):
            return
        keys = {n for n in range(len(world.objects)) if set(_outer_places(world, state, [n])) & cells} | {
            state.carrying
        }
        more = {
            door
            for door in range(len(world.doors))
            if door not in opened and any(world.fits(number, door) for number in keys - {NOTHING})
        }
        if not more:
            raise NoPlan("no plan exists: walls are in the way, or locked doors without a key", exhausted=True)
        opened |= more


def _open_cells(world: GridWorld, state: GridState, opened: set[int], cell: int) -> Iterator[Step]:
    """The cells beside one, as if all objects were out of the way and these doors were unlocked."""
    for offset in world.offsets:
        front = cell + offset
        door = world.door_cells.get(front)
        if front not in world.solid and (door is None or door in opened or state.doors[door] != LOCKED):
            yield Step(front, front)


def _outer_places(world: GridWorld, state: GridState, numbers: list[int]) -> list[int]:
    """The cells of objects, or of the boxes that they are in."""
    box_of = {inner: box for box, inner in world.contents.items()}
    cells = []
    for number in numbers:
        while state.places[number] == INSIDE:
            number = box_of[number]
        cells.append(state.places[number])
    return [cell for cell in cells if cell >= 0]


def _rough_way(world: GridWorld, state: GridState, targets: list[int]) -> Node:
    """The cheapest way to one of these cells, if what blocks it could be cleared; its actions are the cells.

    Its cost is infinite where walls are in the way.
    """

    def successors(cell: int) -> Iterator[Step]:
        for offset in world.offsets:
            front = cell + offset
            if front in world.solid:
                continue
            door = world.door_cells.get(front)
            cost = 1.0
            if door is not None and state.doors[door] == LOCKED and not world.opens(state, door):
                cost += UNLOCK_COST
            if front in state.places:
                cost += MOVE_COST
            yield Step(front, front, cost)

    try:
        return search(state.cell, successors, lambda cell: cell in targets)
    except NoPlan:
        return Node(state.cell, math.inf)
