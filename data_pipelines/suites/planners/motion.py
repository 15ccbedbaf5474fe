"""Scripted motion of an arm with a gripper: from waypoint to waypoint, grasp, carry, let go, push.

A script is an iterator of actions. What a robot does with a shift of its tool is an `Arm`; what a task wants is a
`Job`; how patiently it is done is data (`Motion`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float

OPEN, CLOSE = -1.0, 1.0

Place = Float[np.ndarray, "3"]
Script = Iterator[np.ndarray]


class Arm(Protocol):
    """A robot as a script sees it."""

    @property
    def tool(self) -> Place:
        """Position of the point between the fingertips (metres)."""

    @property
    def yaw(self) -> float:
        """Direction in which the fingers close: the angle from the world's x axis (radians)."""

    def action(self, shift: Place, turn: float, grip: float) -> np.ndarray:
        """The action that brings the tool nearer to where it should be.

        Args:
          shift: what is missing (metres).
          turn: what is missing around the vertical axis (radians).
          grip: `OPEN` or `CLOSE`.
        """


@dataclasses.dataclass(frozen=True)
class Motion:
    """How patiently an arm moves.

    Args:
      near: metres along each axis within which it has arrived.
      turned: radians of the same.
      limit: steps after which a motion that does not arrive is given up.
      closing, opening: steps that the gripper gets.
      above: metres that it rises with an object.
      retreat: metres that it rises without one.
    """

    near: float
    turned: float = 0.05
    limit: int = 90
    closing: int = 15
    opening: int = 12
    above: float = 0.1
    retreat: float = 0.1


@dataclasses.dataclass(frozen=True)
class Waypoint:
    """Where the tool should go, asked anew at each step.

    Args:
      place: position (metres).
      yaw: direction in which the fingers should close (radians); None keeps that of the beginning.
      near: metres, in place of the motion's.
      limit: steps, in place of the motion's.
    """

    place: Callable[[], Place]
    yaw: Callable[[], float] | None = None
    near: float | None = None
    limit: int | None = None


@dataclasses.dataclass(frozen=True)
class Job:
    """An object that is taken and brought somewhere.

    Args:
      approach: waypoints with open fingers, the last one where they close; made anew for each attempt.
      is_held: whether the object is between the fingers, after it was lifted: if not, it is tried again.
      carry: waypoints with closed fingers, made when the object is held.
      release: whether the fingers open at the last waypoint; else the tool stays there while the object is held.
    """

    approach: Callable[[], Sequence[Waypoint]]
    is_held: Callable[[], bool]
    carry: Callable[[], Sequence[Waypoint]]
    release: bool = True


def repeat(arm: Arm, motion: Motion, job: Job, is_done: Callable[[], bool]) -> Script:
    """Tries again while it is not done: a grasp may slip, and what was put down may fall. Then rests, fingers open."""
    while True:
        if is_done():
            yield from wait(arm, OPEN, 1)
        else:
            yield from take(arm, motion, job)


def take(arm: Arm, motion: Motion, job: Job) -> Script:
    """One attempt: takes an object, lifts it, and brings it where it should be, unless it slipped."""
    for waypoint in job.approach():
        yield from move(arm, motion, waypoint, OPEN)
    yield from wait(arm, CLOSE, motion.closing)
    yield from rise(arm, motion, CLOSE, motion.above)
    if not job.is_held():
        return
    way = job.carry()
    for waypoint in way:
        yield from move(arm, motion, waypoint, CLOSE)
    if job.release:
        yield from wait(arm, OPEN, motion.opening)
        yield from rise(arm, motion, OPEN, motion.retreat)
    while not job.release and job.is_held():
        yield arm.action(way[-1].place() - arm.tool, 0.0, CLOSE)


def push(arm: Arm, motion: Motion, item: Callable[[], Place], goal: Callable[[], Place], *, behind: float) -> Script:
    """Slides an object over a table with closed fingers, from behind, until it lies at its goal.

    Args:
      arm, motion: who moves.
      item, goal: where the object is and where it should be (metres).
      behind: metres from the object's middle at which the tool begins.
    """

    def way() -> Place:
        """From the object to the goal, along the table."""
        return (goal() - item()) * [1.0, 1.0, 0.0]

    def start(height: float = 0.0) -> Place:
        distance = np.linalg.norm(way())
        return item() - way() / max(distance, 1e-6) * behind + np.array([0.0, 0.0, height])

    while True:
        if np.linalg.norm(way()) < motion.near:
            yield from wait(arm, CLOSE, 1)
            continue
        yield from rise(arm, motion, CLOSE, motion.above)
        yield from move(arm, motion, Waypoint(lambda: start(motion.above)), CLOSE)
        yield from move(arm, motion, Waypoint(start), CLOSE)
        for _ in range(motion.limit):
            forward, side = _along(way(), item() - arm.tool)
            if np.linalg.norm(way()) < motion.near or side > behind / 2 or forward < 0:
                break
            # Through the object's middle, and not farther than the goal: it follows as far as it is pushed.
            yield arm.action((item() - arm.tool + way()) / 2, 0.0, CLOSE)


def _along(way: Place, offset: Place) -> tuple[float, float]:
    """How far an offset leads along the way and beside it, over the table."""
    direction = way[:2] / max(float(np.linalg.norm(way[:2])), 1e-6)
    forward = float(offset[:2] @ direction)
    return forward, float(np.linalg.norm(offset[:2] - forward * direction))


def move(arm: Arm, motion: Motion, waypoint: Waypoint, grip: float) -> Script:
    """To a waypoint, until the tool is there or its time is up."""
    kept = arm.yaw
    near = motion.near if waypoint.near is None else waypoint.near
    for _ in range(motion.limit if waypoint.limit is None else waypoint.limit):
        shift = waypoint.place() - arm.tool
        aim = kept if waypoint.yaw is None else waypoint.yaw()
        turn = (aim - arm.yaw + np.pi) % (2 * np.pi) - np.pi
        if np.abs(shift).max() < near and abs(turn) < motion.turned:
            return
        yield arm.action(shift, turn, grip)


def rise(arm: Arm, motion: Motion, grip: float, height: float) -> Script:
    """Straight up, so many metres."""
    top = arm.tool + np.array([0.0, 0.0, height])
    return move(arm, motion, Waypoint(lambda: top), grip)


def wait(arm: Arm, grip: float, steps: int) -> Script:
    """Stays, while the gripper works."""
    for _ in range(steps):
        yield arm.action(np.zeros(3), 0.0, grip)
