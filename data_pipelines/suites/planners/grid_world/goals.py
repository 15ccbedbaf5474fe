"""What a level asks for, as goals that a plan can end at: BabyAI's instructions, and the tasks of MiniGrid."""

import dataclasses
from typing import Any

import minigrid.envs as worlds
from minigrid.envs.babyai.core import verifier

from data_pipelines.suites.planners.grid_world.world import (
    DROP,
    FINISH,
    NOTHING,
    OPEN,
    PICKUP,
    TOGGLE,
    GridState,
    GridWorld,
)


@dataclasses.dataclass(frozen=True)
class Ending:
    """One way to reach a goal: stand on a cell, or face it, then act.

    Args:
      cell: where.
      actions: what is done there.
      facing: whether the agent faces the cell from beside it, rather than stands on it.
    """

    cell: int
    actions: tuple[int, ...] = ()
    facing: bool = True


@dataclasses.dataclass(frozen=True)
class Goal:
    """Something to do.

    Args:
      objects, doors, cells: with which; any one of them will do.
      careful: whether the level ends when anything else is touched, so that only the last actions may touch something.
    """

    objects: frozenset[int] = frozenset()
    doors: frozenset[int] = frozenset()
    cells: frozenset[int] = frozenset()
    careful: bool = False

    def places(self, world: GridWorld, state: GridState) -> list[int]:
        """The cells of what it is about."""
        lying = [state.places[number] for number in sorted(self.objects) if state.places[number] >= 0]
        return lying + [world.door_cell(door) for door in sorted(self.doors)] + sorted(self.cells)

    def endings(self, world: GridWorld, state: GridState) -> list[Ending]:
        """The ways to end it from this state."""
        raise NotImplementedError


class Reach(Goal):
    """Stand on one of the cells."""

    def endings(self, world: GridWorld, state: GridState) -> list[Ending]:
        return [Ending(cell, facing=False) for cell in self.places(world, state)]


class Face(Goal):
    """Stand in front of one of the things, and look at it."""

    def endings(self, world: GridWorld, state: GridState) -> list[Ending]:
        return [Ending(cell) for cell in self.places(world, state)]


class Announce(Goal):
    """Stand in front of one of the things, and say that it is found (MiniGrid's action "done")."""

    def endings(self, world: GridWorld, state: GridState) -> list[Ending]:
        return [Ending(cell, (FINISH,)) for cell in self.places(world, state)]


class PickUp(Goal):
    """Take one of the objects into the hand."""

    def endings(self, world: GridWorld, state: GridState) -> list[Ending]:
        if state.carrying != NOTHING:
            return []
        return [Ending(cell, (PICKUP,)) for cell in self.places(world, state)]


class Hold(PickUp):
    """As PickUp, and done at once where the hand has one of them."""

    def endings(self, world: GridWorld, state: GridState) -> list[Ending]:
        if state.carrying in self.objects:
            return [Ending(state.cell, facing=False)]
        return super().endings(world, state)


class OpenDoor(Goal):
    """Open one of the doors; one that is open already is closed first."""

    def endings(self, world: GridWorld, state: GridState) -> list[Ending]:
        return [
            Ending(world.door_cell(door), (TOGGLE, TOGGLE) if state.doors[door] == OPEN else (TOGGLE,))
            for door in sorted(self.doors)
            if world.opens(state, door)
        ]


@dataclasses.dataclass(frozen=True)
class PutNext(Goal):
    """Drop one of `moved` beside one of the objects; with `diagonal`, a corner is enough."""

    moved: frozenset[int] = frozenset()
    diagonal: bool = False

    def endings(self, world: GridWorld, state: GridState) -> list[Ending]:
        if state.carrying not in self.moved:
            return []
        right, down = world.offsets[:2]
        around = [right, down, -right, -down]
        if self.diagonal:
            around += [right + down, right - down, -right + down, -right - down]
        cells = {place + offset for place in self.places(world, state) for offset in around}
        return [Ending(cell, (DROP,)) for cell in sorted(cells) if world.empty(state, cell)]


class NoGoal(ValueError):
    """A level that asks for nothing that is known here."""


def goals_of(world: GridWorld) -> list[Goal]:
    """What must be done in this level, in order.

    Raises:
      NoGoal: it asks for nothing, or in a way that is not known here.
    """
    level = world.level
    if hasattr(level, "instrs"):
        return _of_instruction(world, level.instrs)
    if isinstance(level, worlds.GoToDoorEnv | worlds.GoToObjectEnv):
        return [Announce(cells=_cells(world, level.target_pos), careful=True)]
    if isinstance(level, worlds.FetchEnv):
        return [PickUp(_alike(world, level.targetType, level.targetColor), careful=True)]
    if isinstance(level, worlds.PutNearEnv):
        moved, fixed = (world.numbers([level.grid.get(*place)]) for place in (level.move_pos, level.target_pos))
        return [PickUp(moved, careful=True), PutNext(fixed, moved=moved, diagonal=True, careful=True)]
    if isinstance(level, worlds.RedBlueDoorEnv):
        return [OpenDoor(doors=world.door_numbers([door])) for door in (level.red_door, level.blue_door)]
    if isinstance(level, worlds.UnlockEnv):
        return [OpenDoor(doors=world.door_numbers([level.door]))]
    if isinstance(level, worlds.MemoryEnv):
        return [Reach(cells=_cells(world, level.success_pos), careful=True)]
    if isinstance(level, worlds.DynamicObstaclesEnv):
        return [Reach(cells=frozenset(world.goals), careful=True)]
    if hasattr(level, "obj"):
        return [PickUp(world.numbers([level.obj]))]
    if world.goals:
        return [Reach(cells=frozenset(world.goals))]
    raise NoGoal(f"{type(level).__name__} asks for nothing that a plan could end at")


def _of_instruction(world: GridWorld, instruction: Any) -> list[Goal]:
    if isinstance(instruction, verifier.SeqInstr):
        parts = [instruction.instr_a, instruction.instr_b]
        if isinstance(instruction, verifier.AfterInstr):
            parts.reverse()
        return [goal for part in parts for goal in _of_instruction(world, part)]
    if isinstance(instruction, verifier.PutNextInstr):
        moved, fixed = (world.numbers(desc.obj_set) for desc in (instruction.desc_move, instruction.desc_fixed))
        return [Hold(moved), PutNext(fixed, moved=moved)]
    if isinstance(instruction, verifier.GoToInstr):
        things = instruction.desc.obj_set
        return [Face(world.numbers(things), world.door_numbers(things))]
    if isinstance(instruction, verifier.PickupInstr):
        return [PickUp(world.numbers(instruction.desc.obj_set))]
    if isinstance(instruction, verifier.OpenInstr):
        return [OpenDoor(doors=world.door_numbers(instruction.desc.obj_set))]
    raise NoGoal(f"an instruction of the kind {type(instruction).__name__} is not known here")


def _cells(world: GridWorld, place: Any) -> frozenset[int]:
    column, row = (int(part) for part in place)
    return frozenset({row * world.width + column})


def _alike(world: GridWorld, kind: str, color: str) -> frozenset[int]:
    return frozenset(n for n, thing in enumerate(world.objects) if (thing.type, thing.color) == (kind, color))
