"""Levels by reverse play: boxes start on their targets and are pulled away, so that every level can be solved.

The method is that of Racaniere et al. (2017, appendix D): a room is carved along a random walk, targets are placed, and
of the states that reverse play reaches the one is taken whose boxes are moved furthest and in turns. The budget counts
pulls, not seconds: a seed gives the same level on every machine.
"""

import dataclasses

import numpy as np

from data_pipelines.suites.sokoban.rules import Level, State, inner_cells, members, shift, walkable

_BRUSHES = (
    ((0, -1), (0, 0), (0, 1)),
    ((-1, 0), (0, 0), (1, 0)),
    ((0, 0), (0, 1), (1, 0)),
    ((0, 0), (0, -1), (-1, 0)),
    ((0, 0), (0, 1), (1, 0), (1, 1)),
)
"""What one step of the walk carves: rows and columns around it."""


@dataclasses.dataclass(frozen=True)
class Generator:
    """Settings of a level.

    Args:
      size: rows and columns, walls included.
      boxes: number of boxes.
      walk: steps of the carving walk, as a multiple of `size`.
      turn: probability that the walk takes a new direction at a step.
      pulls: of all reverse plays together.
      pulls_a_play: after which a reverse play starts again from the solved room.
      rooms: that are tried before it gives up.
    """

    size: int
    boxes: int
    walk: float = 3.4
    turn: float = 0.35
    pulls: int = 1500
    pulls_a_play: int = 150
    rooms: int = 200


@dataclasses.dataclass(frozen=True)
class Puzzle:
    """A level, and the pushes that solve it: the cell of each box before its push, and the offset of the push."""

    level: Level
    pushes: tuple[tuple[int, int], ...]


def generate(settings: Generator, seed: int) -> Puzzle:
    """The level of a seed.

    Raises:
      ValueError: no room of these settings has a level.
    """
    rng = np.random.default_rng(seed)
    for _ in range(settings.rooms):
        floor = _carve(settings, rng)
        cells = list(members(floor))
        if len(cells) <= 3 * settings.boxes:
            continue
        player, *targets = (cells[n] for n in rng.permutation(len(cells))[: settings.boxes + 1])
        done = State(player, sum(1 << cell for cell in targets))
        room = Level(settings.size, settings.size, floor, done.boxes, done)
        found = _reverse_play(room, settings, rng)
        if found is not None:
            return found
    raise ValueError(f"no level in {settings.rooms} rooms of {settings}: expected more room or fewer boxes")


def _carve(settings: Generator, rng: np.random.Generator) -> int:
    """A connected set of floor cells."""
    size = settings.size
    row, column = rng.integers(1, size - 1, 2)
    directions = ((0, 1), (0, -1), (1, 0), (-1, 0))
    direction = directions[rng.integers(4)]
    floor = 0
    for _ in range(round(settings.walk * size)):
        if rng.random() < settings.turn:
            direction = directions[rng.integers(4)]
        row = min(max(row + direction[0], 1), size - 2)
        column = min(max(column + direction[1], 1), size - 2)
        for down, right in _BRUSHES[rng.integers(len(_BRUSHES))]:
            floor |= 1 << int((row + down) * size + column + right)
    return floor & inner_cells(size, size)


def _reverse_play(room: Level, settings: Generator, rng: np.random.Generator) -> Puzzle | None:
    """The best of the states that random pulls reach with all boxes off the targets.

    None if each is easier than to move every box by two cells, one box after the other.
    """
    best, best_score = None, 2 * settings.boxes**2 - 1
    state, seen = room.start, set()
    pulled: list[tuple[int, int]] = []
    for number in range(settings.pulls):
        pulls = _pulls(room, state)
        if number % settings.pulls_a_play == 0 or not pulls:
            state, pulled = room.start, []
            pulls = _pulls(room, state)
        if not pulls:
            return None  # The player is walled in by the boxes.
        fresh = [after for after in pulls if (after[1].boxes, walkable(room, after[1])) not in seen] or pulls
        push, state = fresh[rng.integers(len(fresh))]
        seen.add((state.boxes, walkable(room, state)))
        pulled.append(push)
        if not state.boxes & room.targets:
            score = _score(room, pulled)
            if score > best_score:
                best, best_score = (state, tuple(reversed(pulled))), score
    if best is None:
        return None
    start, pushes = best
    return Puzzle(dataclasses.replace(room, start=start), pushes)


def _pulls(room: Level, state: State) -> list[tuple[tuple[int, int], State]]:
    """Every pull: the push that undoes it, and the state after it."""
    region = walkable(room, state)
    found = []
    for offset in room.offsets.values():
        # The player stands beside a box, on the side that it walks to, and has room to step back.
        standing = region & shift(state.boxes, offset) & shift(region, -offset)
        for cell in members(standing):
            boxes = state.boxes ^ (1 << (cell - offset)) ^ (1 << cell)
            found.append(((cell, -offset), State(cell + offset, boxes)))
    return found


def _score(room: Level, pulled: list[tuple[int, int]]) -> int:
    """How far boxes were pulled from their targets, times how often play went from one box to another."""
    at = {cell: cell for cell in members(room.targets)}
    turns, last = 0, None
    for cell, offset in pulled:
        origin = at.pop(cell + offset)
        at[cell] = origin
        turns += origin != last
        last = origin
    width = room.width
    distance = sum(
        abs(now // width - origin // width) + abs(now % width - origin % width) for now, origin in at.items()
    )
    return distance * turns
