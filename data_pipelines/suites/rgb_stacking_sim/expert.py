"""A scripted demonstrator: grasp red on two wide faces, lift it, put it on blue, and leave.

It reads the poses and meshes of the objects, which an agent only sees in pictures. It tries again while red does not
stand on blue.
"""

import dm_env
import numpy as np
from jaxtyping import Float

from data_pipelines.suites.planners.motion import Job, Motion, Place, Waypoint, repeat
from data_pipelines.suites.rgb_stacking_sim.control import MAX_SPEED, MAX_YAW_RATE, WORKSPACE
from data_pipelines.suites.rgb_stacking_sim.environment import CONTROL_TIMESTEP, RgbStackingEnvironment

MOTION = Motion(near=0.004, turned=0.05, limit=90, closing=15, opening=12, above=0.1)

_GAIN = 0.5
"""Share of an error that one step goes: more would overshoot, as the arm follows late."""
_TURNING = 0.002
"""Metres of width that a radian of turning is worth."""
_FACE = 0.003
"""Metres of depth within which corners are of one face."""
_WIDEST = 0.075
"""Metres that fit between the open fingers."""
_GAP = 0.002
"""Metres between red and blue at which red is let go."""
_MARGIN = 0.05
"""Radians that the wrist keeps from the end of its range."""


class SawyerArm:
    """The Sawyer of a `RgbStackingEnvironment`, which is told speeds of its tool."""

    def __init__(self, env: RgbStackingEnvironment):
        self._env = env

    @property
    def tool(self) -> Place:
        return self._env.tool_pose[:3]

    @property
    def yaw(self) -> float:
        return self._env.closing_yaw

    def action(self, shift: Place, turn: float, grip: float) -> Float[np.ndarray, "5"]:
        step = np.append(shift / MAX_SPEED, turn / MAX_YAW_RATE) * _GAIN / CONTROL_TIMESTEP
        return np.append(np.clip(step, -1.0, 1.0), grip)


class StackingExpert:
    """Stacks red on blue in a `RgbStackingEnvironment`."""

    def reset(self, env: RgbStackingEnvironment, seed: int) -> None:
        del seed
        self._env, self._arm = env, SawyerArm(env)
        job = Job(self._approach, lambda: env.touches_robot("red"), self._carry)
        self._script = repeat(self._arm, MOTION, job, lambda: env.success)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        return next(self._script).astype(np.float32)

    def _approach(self) -> list[Waypoint]:
        """Above red, turned to two of its faces, and down to its middle, as far as the tool goes."""
        aim = self._arm.yaw + self._best_turn()
        above, lowest = np.array([0.0, 0.0, MOTION.above]), np.array([-np.inf, -np.inf, WORKSPACE[0, 2]])
        return [
            Waypoint(lambda: self._place("red") + above, lambda: aim),
            Waypoint(lambda: np.maximum(self._place("red"), lowest)),
        ]

    def _carry(self) -> list[Waypoint]:
        """Over blue, and down until red is just above it."""
        held = self._arm.tool - self._place("red")

        def lowered() -> Place:
            gap = self._env.vertices("red")[:, 2].min() - self._env.vertices("blue")[:, 2].max()
            over = self._place("blue") + self._arm.tool - self._place("red")
            return np.append(over[:2], self._arm.tool[2] - gap + _GAP)

        return [Waypoint(lambda: np.append((self._place("blue") + held)[:2], self._arm.tool[2])), Waypoint(lowered)]

    def _place(self, colour: str) -> Place:
        return self._env.prop_poses[colour][:3]

    def _best_turn(self) -> float:
        """How far to turn until the fingers close on two wide faces of red, near to each other, in radians."""
        low, high = self._env.turn_range
        turns = np.linspace(low + _MARGIN, high - _MARGIN, 37)
        corners = self._env.vertices("red")
        costs = [_grip_cost(corners, self._env.closing_yaw + turn) + _TURNING * abs(turn) for turn in turns]
        return float(turns[np.argmin(costs)])


def _grip_cost(corners: Float[np.ndarray, "vertices 3"], yaw: float) -> float:
    """Width between the fingers, less the size of the smaller face that they press on, in metres."""
    across = corners[:, :2] @ [np.cos(yaw), np.sin(yaw)]
    along = corners[:, :2] @ [-np.sin(yaw), np.cos(yaw)]
    faces = []
    for near in (across < across.min() + _FACE, across > across.max() - _FACE):
        faces.append(np.sqrt(np.ptp(along[near]) * np.ptp(corners[near, 2])))
    width = np.ptp(across)
    return float(width - min(faces) + (width > _WIDEST))
