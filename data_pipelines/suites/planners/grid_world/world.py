"""A MiniGrid level as a state that is small enough to search: what moves, apart from what never does."""

from typing import Any, NamedTuple

from minigrid.core.actions import Actions

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, FINISH = (int(action) for action in Actions)
"""MiniGrid's actions; FINISH is the one that it calls "done"."""

OPEN, CLOSED, LOCKED = range(3)
HELD, INSIDE, GONE = -1, -2, -3
"""Places of objects that lie nowhere: in the hand, in a box, or (an opened box) nowhere any more."""

NOTHING = -1


class GridState(NamedTuple):
    """Everything that an action can change.

    Args:
      cell: of the agent, row * width + column.
      direction: 0 right, 1 down, 2 left, 3 up.
      carrying: number of the object in the hand, or NOTHING.
      places: cell of every object, or HELD, INSIDE or GONE.
      doors: OPEN, CLOSED or LOCKED, for every door.
    """

    cell: int
    direction: int
    carrying: int
    places: tuple[int, ...]
    doors: tuple[int, ...]


class GridWorld:
    """What a running level is made of, with numbers for its doors and for its objects that can be carried.

    Args:
      level: a MiniGrid environment that was just reset.
    """

    def __init__(self, level: Any):
        self.level = level
        self.width: int = level.grid.width
        self.offsets = (1, self.width, -1, -self.width)
        self.solid: set[int] = set()
        self.goals: set[int] = set()
        self.door_cells: dict[int, int] = {}
        self._furnished: set[int] = set()
        self.doors: list[Any] = []
        self.objects: list[Any] = []
        self.contents: dict[int, int] = {}
        for cell, thing in enumerate(level.grid.grid):
            if thing is not None:
                self._add(cell, thing)
        if level.carrying is not None:
            self._number(level.carrying)
        self._numbers = {id(thing): number for number, thing in enumerate(self.objects)}

    def _add(self, cell: int, thing: Any) -> None:
        if thing.type in ("wall", "lava"):
            self.solid.add(cell)
        elif thing.type == "door":
            self.door_cells[cell] = len(self.doors)
            self.doors.append(thing)
        elif thing.can_pickup():
            self._number(thing)
        else:
            self._furnished.add(cell)
            if thing.type == "goal":
                self.goals.add(cell)

    def _number(self, thing: Any) -> int:
        number = len(self.objects)
        self.objects.append(thing)
        if thing.contains is not None:
            self.contents[number] = self._number(thing.contains)
        return number

    def read(self) -> GridState:
        """The level's state now."""
        level = self.level
        places = [GONE] * len(self.objects)
        for cell, thing in enumerate(level.grid.grid):
            number = self._numbers.get(id(thing))
            if number is not None:
                places[number] = cell
        carrying = NOTHING if level.carrying is None else self._numbers[id(level.carrying)]
        if carrying != NOTHING:
            places[carrying] = HELD
        for box in sorted(self.contents):  # An outer box has a lower number than one inside it.
            if places[box] != GONE:
                places[self.contents[box]] = INSIDE
        column, row = (int(part) for part in level.agent_pos)
        doors = tuple(OPEN if door.is_open else LOCKED if door.is_locked else CLOSED for door in self.doors)
        return GridState(row * self.width + column, int(level.agent_dir), carrying, tuple(places), doors)

    def numbers(self, things: Any) -> frozenset[int]:
        """Numbers of these objects; doors and strangers are left out."""
        return frozenset(self._numbers[id(thing)] for thing in things if id(thing) in self._numbers)

    def door_numbers(self, things: Any) -> frozenset[int]:
        """Numbers of these doors; what is no door is left out."""
        wanted = {id(thing) for thing in things}
        return frozenset(number for number, door in enumerate(self.doors) if id(door) in wanted)

    def door_cell(self, door: int) -> int:
        return next(cell for cell, number in self.door_cells.items() if number == door)

    def opens(self, state: GridState, door: int) -> bool:
        """Whether a toggle by the agent opens or closes this door."""
        if state.doors[door] != LOCKED:
            return True
        return state.carrying != NOTHING and self.fits(state.carrying, door)

    def fits(self, number: int, door: int) -> bool:
        """Whether an object is a key of this door's colour."""
        thing = self.objects[number]
        return thing.type == "key" and thing.color == self.doors[door].color

    def empty(self, state: GridState, cell: int) -> bool:
        """Whether something can be dropped there."""
        taken = cell in self.solid or cell in self._furnished or cell in self.door_cells
        return not taken and cell not in state.places

    def apply(self, state: GridState, action: int) -> GridState:
        """MiniGrid's rules. Lava is taken for a wall: no plan goes there."""
        if action == LEFT:
            return state._replace(direction=(state.direction - 1) % 4)
        if action == RIGHT:
            return state._replace(direction=(state.direction + 1) % 4)
        front = state.cell + self.offsets[state.direction]
        door = self.door_cells.get(front)
        if action == FORWARD:
            closed = front in self.solid or front in state.places
            if closed or (door is not None and state.doors[door] != OPEN):
                return state
            return state._replace(cell=front)
        if action == PICKUP and state.carrying == NOTHING and front in state.places:
            number = state.places.index(front)
            return state._replace(carrying=number, places=_put(state.places, number, HELD))
        if action == DROP and state.carrying != NOTHING and self.empty(state, front):
            return state._replace(carrying=NOTHING, places=_put(state.places, state.carrying, front))
        if action == TOGGLE and door is not None and self.opens(state, door):
            return state._replace(doors=_put(state.doors, door, CLOSED if state.doors[door] == OPEN else OPEN))
        if action == TOGGLE and front in state.places:
            return self._unpack(state, state.places.index(front), front)
        return state

    def _unpack(self, state: GridState, number: int, cell: int) -> GridState:
        """A toggled box vanishes and leaves what was in it."""
        if self.objects[number].type != "box":
            return state
        places = _put(state.places, number, GONE)
        if number in self.contents:
            places = _put(places, self.contents[number], cell)
        return state._replace(places=places)


def _put(values: tuple[int, ...], number: int, value: int) -> tuple[int, ...]:
    return (*values[:number], value, *values[number + 1 :])
