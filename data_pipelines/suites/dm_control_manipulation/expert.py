"""Scripts for the Jaco arm: reach, lift, place and stack, from the poses of the objects."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dm_env
import numpy as np
from jaxtyping import Float

from data_pipelines.suites.dm_control_manipulation.arm import FINGERTIPS, JacoArm
from data_pipelines.suites.dm_control_manipulation.environment import ManipulationEnvironment
from data_pipelines.suites.planners.motion import (
    CLOSE,
    OPEN,
    Job,
    Motion,
    Place,
    Script,
    Waypoint,
    move,
    repeat,
    rise,
    take,
    wait,
)

BRICK = 0.0192
"""Height of a brick without its studs, which is how much higher the next one stands (metres)."""

BRICK_HALF = np.array([0.016, 0.032])
"""Half of its width and of its length (metres)."""

Obstacle = Callable[[Float[np.ndarray, "2"]], float]
"""Distance of a point over the table from something (metres)."""

_SLIDES = (0.0, 0.008, -0.008)
"""Where along a brick it may be grasped (metres)."""
_ENOUGH = 0.02
_AWAY, _TURNING = 0.2, 0.0005
"""Metres of room that a metre beside the middle and a radian of turning are worth."""

_GRASP = 0.012
"""Metres above a brick's lower side at which the fingers close on it."""
_ABOVE = 0.06
_HELD = 0.03
_LIFT = 0.34
"""Height to which a brick is lifted: the suite asks for 0.3 (metres)."""
_IN_PLACE = 0.045
"""Metres from a pedestal's target within which a brick is in its place; the suite asks for 0.05."""
_PEDESTAL = 0.07
_CLOSE, _LEANS = 0.13, (0.2, 0.4, 0.1)
"""Metres from a pedestal within which the hand leans away from it, and how much in one attempt after the other."""
_LEANING_OPEN = 0.85
"""Angle of open fingers that come down leaning, which need more room (radians)."""
_BEYOND = 0.04
"""Metres behind a brick, as seen from a close pedestal, where the hand comes down."""
_PRESS = 0.012
"""Metres below its place to which a brick is pressed, so that studs and holes click."""
_TOP = 0.0235 + 0.005
"""Height of the tool at which the closed fingertips touch a brick's studs, above its lower side (metres)."""
_SIDE = 0.018
"""How far from a brick's middle its higher side is pressed (metres)."""
_TILT = 0.004
"""Sine of the angle from which a brick leans to one side."""
_FREE = 0.005
"""Metres above its place from which a brick touches nothing."""
_UNCLICKED, _LEVEL = 0.006, 0.97
_CLICKED = 0.9
"""Reward of a pair that stands."""

MOTION = Motion(near=0.004, turned=0.03, limit=60, closing=14, opening=5, above=0.05, retreat=0.05)
AWAY = dataclasses.replace(MOTION, retreat=0.28)
"""The reward of a placed object asks for a hand that is 20 cm away."""


class Brick:
    """An object of the task, where it is."""

    def __init__(self, physics: Any, entity: Any):
        self._physics, self._entity = physics, entity

    @property
    def place(self) -> Place:
        """Of the middle of its lower side."""
        return np.array(self._entity.get_pose(self._physics)[0])

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Its axes as columns: across, along, up."""
        w, x, y, z = np.array(self._entity.get_pose(self._physics)[1])
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )

    @property
    def yaw(self) -> float:
        return float(np.arctan2(self.axes[1, 0], self.axes[0, 0]))


def _up(height: float) -> Place:
    return np.array([0.0, 0.0, height])


def nearest(angle: float, to: float) -> float:
    """The angle or the opposite one, whichever is nearer: two-fold symmetric objects have both."""
    return to + (angle - to + np.pi / 2) % np.pi - np.pi / 2


def _pick(arm: JacoArm, brick: Brick, obstacles: Sequence[Obstacle] = ()) -> list[Waypoint]:
    """Above a brick, fingers across it, and down to it, where they have the most room."""
    yaw, slide = max(
        ((nearest(brick.yaw, arm.yaw) + turn, slide) for slide in _SLIDES for turn in (0.0, np.pi)),
        key=lambda grasp: (
            min([_ENOUGH, *(_room(brick, grasp[0], grasp[1], obstacle) for obstacle in obstacles)])
            - _AWAY * abs(grasp[1]) - _TURNING * abs(_turn(grasp[0] - arm.yaw))
        ),
    )  # fmt: skip

    def at(height: float) -> Callable[[], Place]:
        return lambda: brick.place + slide * brick.axes[:, 1] + _up(_GRASP + height)

    def kept() -> float:
        return nearest(brick.yaw, yaw)

    return [Waypoint(at(_ABOVE), kept, near=0.01), Waypoint(at(0.0), kept, limit=25)]


def _room(brick: Brick, yaw: float, slide: float, obstacle: Obstacle) -> float:
    """Least distance of the open fingers from an obstacle (metres)."""
    x, y = np.array([np.cos(yaw), np.sin(yaw)]), np.array([np.sin(yaw), -np.cos(yaw)])
    middle = (brick.place + slide * brick.axes[:, 1])[:2]
    return min(obstacle(middle + across * x + along * y) for across, along in FINGERTIPS)


def _turn(angle: float) -> float:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def beside(other: Brick) -> Obstacle:
    """A brick in the way."""

    def distance(point: Float[np.ndarray, "2"]) -> float:
        inside = np.abs((point - other.place[:2]) @ other.axes[:2, :2]) - BRICK_HALF
        return float(np.linalg.norm(np.maximum(inside, 0.0)))

    return distance


def _held(arm: JacoArm, brick: Brick) -> bool:
    return bool(np.linalg.norm(brick.place + _up(_GRASP) - arm.tool) < _HELD)


def _reach(env: ManipulationEnvironment) -> Script:
    arm, physics = JacoArm(env), env.physics
    target = physics.bind(env.task._target)

    def place() -> Place:
        # The reward looks at the pinch site, which the middle of the fingers is near to.
        return np.maximum(np.array(target.xpos), [-np.inf, -np.inf, 0.02])

    while True:
        yield from move(arm, MOTION, Waypoint(place), OPEN)
        yield from wait(arm, OPEN, 1)


def _lift(env: ManipulationEnvironment) -> Script:
    arm, brick = JacoArm(env), Brick(env.physics, env.task._prop)

    def carry() -> list[Waypoint]:
        top = arm.tool * [1.0, 1.0, 0.0] + _up(_LIFT + _GRASP)
        return [Waypoint(lambda: top)]

    job = Job(lambda: _pick(arm, brick), lambda: _held(arm, brick), carry, release=False)
    return repeat(arm, MOTION, job, lambda: False)


def _place(env: ManipulationEnvironment) -> Script:
    arm, brick = JacoArm(env, open_angle=_LEANING_OPEN), Brick(env.physics, env.task._prop)
    target = env.physics.bind(env.task._pedestal.target_site)

    def over(height: float) -> Callable[[], Place]:
        return lambda: np.array(target.xpos) + _up(height) + arm.tool - brick.place

    def high() -> Place:
        return arm.tool * [1.0, 1.0, 0.0] + _up(float(target.xpos[2]) + 0.12)

    def carry() -> list[Waypoint]:
        arm.level()
        return [Waypoint(high, near=0.02), Waypoint(over(0.08), near=0.01), Waypoint(over(0.022), limit=25)]

    def pedestal(point: Float[np.ndarray, "2"]) -> float:
        return float(np.linalg.norm(point - np.array(target.xpos)[:2])) - _PEDESTAL

    leans = itertools.cycle(_LEANS)

    def approach() -> list[Waypoint]:
        away = (brick.place - np.array(target.xpos)) * [1.0, 1.0, 0.0]
        distance = float(np.linalg.norm(away))
        arm.level(lean=next(leans) * away / distance if distance < _CLOSE else None)
        above, at = _pick(arm, brick, [pedestal])
        beyond = brick.place + (_BEYOND * away / distance if distance < _CLOSE else 0.0)

        def past() -> Place:
            return beyond * [1.0, 1.0, 0.0] + _up(float(target.xpos[2]) + 0.1)

        return [Waypoint(past, above.yaw, near=0.03), above, at]

    job = Job(approach, lambda: _held(arm, brick), carry)
    return repeat(arm, AWAY, job, lambda: _near(brick.place, np.array(target.xpos)) and not _held(arm, brick))


def _near(one: Place, other: Place) -> bool:
    return bool(np.linalg.norm(one - other) < _IN_PLACE)


def _stack(env: ManipulationEnvironment) -> Script:
    """The pairs of the desired order, from below: each brick is put on the one below, and pressed until it clicks."""
    arm = JacoArm(env)
    bricks = [Brick(env.physics, entity) for entity in env.task._bricks]
    order = list(env.task._desired_order)
    while True:
        pair = next((pair for pair in itertools.pairwise(order) if not _clicked(env, pair)), None)
        if pair is None:
            yield from wait(arm, OPEN, 1)
            continue
        low, high = bricks[pair[0]], bricks[pair[1]]
        if _stands(low, high):
            yield from _press(arm, high)
        else:
            obstacles = [beside(brick) for brick in bricks if brick is not high]
            yield from take(arm, MOTION, _pair(arm, low, high, obstacles))


def _gap(low: Brick, high: Brick) -> float:
    """How far a brick is above its place (metres)."""
    return float((high.place - low.place) @ low.axes[:, 2]) - BRICK


def _stands(low: Brick, high: Brick) -> bool:
    """Whether a brick is in its place but for the last millimetres."""
    offset = high.place - low.place - low.axes[:, 2] * BRICK
    return bool(np.abs(offset).max() < _UNCLICKED and high.axes[2, 2] > _LEVEL)


def _press(arm: JacoArm, brick: Brick) -> Script:
    """With closed fingers on the side of the brick that is higher."""
    arm.level()

    def on(height: float) -> Callable[[], Place]:
        def place() -> Place:
            lean = -brick.axes[:, 2] * [1.0, 1.0, 0.0]
            side = lean / max(float(np.linalg.norm(lean)), _TILT) * _SIDE
            return brick.place + side + _up(_TOP + height)

        return place

    aim = nearest(brick.yaw, arm.yaw)
    for waypoint in (
        Waypoint(on(0.04), lambda: nearest(brick.yaw, aim), near=0.006),
        Waypoint(on(-_PRESS), lambda: nearest(brick.yaw, aim), limit=12),
    ):
        yield from move(arm, MOTION, waypoint, CLOSE)
    yield from rise(arm, MOTION, CLOSE, MOTION.above)


def _pair(arm: JacoArm, low: Brick, high: Brick, obstacles: Sequence[Obstacle]) -> Job:
    def yaw() -> float:
        # Of the tool, so that the brick it holds is parallel to the lower one.
        return arm.yaw + nearest(low.yaw, high.yaw) - high.yaw

    def over(height: float) -> Callable[[], Place]:
        return lambda: low.place + low.axes[:, 2] * (BRICK + height) + arm.tool - high.place

    def approach() -> list[Waypoint]:
        arm.level()
        return _pick(arm, high, obstacles)

    def carry() -> list[Waypoint]:
        # The brick is held upright while it hangs free; once it touches the lower one, the hand.
        arm.level(lambda: high.axes[:, 2] if _gap(low, high) > _FREE else arm.up)
        return [
            Waypoint(over(0.035), yaw, near=0.008), Waypoint(over(0.008), yaw, near=0.001, limit=14),
            Waypoint(over(-_PRESS), yaw, limit=7),
        ]  # fmt: skip

    return Job(approach=approach, is_held=lambda: _held(arm, high), carry=carry)


def _clicked(env: ManipulationEnvironment, pair: tuple[int, int]) -> bool:
    from dm_control.manipulation import bricks

    (reward,) = bricks._get_pairwise_stacking_rewards(env.physics, env.task._bricks, [pair])
    return bool(reward > _CLICKED)


SCRIPTS: Mapping[str, Callable[[ManipulationEnvironment], Script]] = {
    "reach_site": _reach,
    "reach_duplo": _reach,
    "lift_brick": _lift,
    "place_brick": _place,
    "place_cradle": _place,
    "stack_2_bricks": _stack,
    "stack_2_bricks_moveable_base": _stack,
    "stack_2_of_3_bricks_random_order": _stack,
}
"""By the suite's name, without the kind of its observations."""


class ScriptedArm:
    """Plays one task by its script.

    Args:
      task: one of `SCRIPTS`.
    """

    def __init__(self, task: str):
        self._begin = SCRIPTS[task]

    def reset(self, env: ManipulationEnvironment, seed: int) -> None:
        del seed
        self._script = self._begin(env)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        return next(self._script).astype(np.float32)
