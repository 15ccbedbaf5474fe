"""A scripted demonstrator: grasp red on two wide faces, lift it, put it on blue, and leave.

It reads the poses and meshes of the objects, which an agent only sees in pictures. It tries again while red does not
stand on blue.
"""

from collections.abc import Callable, Iterator

import dm_env
import numpy as np
from jaxtyping import Float

from data_pipelines.suites.rgb_stacking_sim.control import MAX_SPEED, MAX_YAW_RATE, WORKSPACE
from data_pipelines.suites.rgb_stacking_sim.environment import CONTROL_TIMESTEP, RgbStackingEnvironment

OPEN, CLOSE = -1.0, 1.0

_GAIN = 0.5
"""Share of an error that one step goes: more would overshoot, as the arm follows late."""
_NEAR = 0.004
_TURNED = 0.05
_ABOVE = np.array([0.0, 0.0, 0.1])
_LIMIT = 90
"""Steps after which a motion that does not arrive is given up."""
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

Script = Iterator[Float[np.ndarray, "5"]]


class StackingExpert:
    """Stacks red on blue in a `RgbStackingEnvironment`."""

    def reset(self, env: RgbStackingEnvironment, seed: int) -> None:
        del seed
        self._env = env
        self._script = self._attempts()

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        return next(self._script).astype(np.float32)

    def _attempts(self) -> Script:
        while True:
            if self._env.success:
                yield from self._wait(OPEN, 1)
                continue
            turn = self._best_turn()
            yield from self._move(lambda: self._place("red") + _ABOVE, OPEN, turn)
            yield from self._move(self._grasp_place, OPEN)
            yield from self._wait(CLOSE, 15)
            yield from self._lift(CLOSE)
            if not self._env.touches_robot("red"):
                continue
            yield from self._carry()
            yield from self._wait(OPEN, 12)
            yield from self._lift(OPEN)

    def _carry(self) -> Script:
        """Over blue, and down until red is just above it."""
        held = self._env.tool_pose[:3] - self._place("red")
        yield from self._move(lambda: np.append((self._place("blue") + held)[:2], self._env.tool_pose[2]), CLOSE)

        def lowered() -> Float[np.ndarray, "3"]:
            gap = self._env.vertices("red")[:, 2].min() - self._env.vertices("blue")[:, 2].max()
            down = self._env.tool_pose[2] - gap + _GAP
            held = self._env.tool_pose[:3] - self._place("red")
            return np.append((self._place("blue") + held)[:2], down)

        yield from self._move(lowered, CLOSE)

    def _lift(self, gripper: float) -> Script:
        top = self._env.tool_pose[:3] + _ABOVE
        return self._move(lambda: top, gripper)

    def _move(self, target: Callable[[], np.ndarray], gripper: float, turn: float = 0.0) -> Script:
        """Towards a place that may move (metres), turning by `turn` (radians) meanwhile."""
        aim = self._env.closing_yaw + turn
        for _ in range(_LIMIT):
            error = target() - self._env.tool_pose[:3]
            yaw = (aim - self._env.closing_yaw + np.pi) % (2 * np.pi) - np.pi
            if np.abs(error).max() < _NEAR and abs(yaw) < _TURNED:
                return
            step = np.append(error / MAX_SPEED, yaw / MAX_YAW_RATE) * _GAIN / CONTROL_TIMESTEP
            yield np.append(np.clip(step, -1.0, 1.0), gripper)

    def _wait(self, gripper: float, steps: int) -> Script:
        for _ in range(steps):
            yield np.array([0.0, 0.0, 0.0, 0.0, gripper])

    def _grasp_place(self) -> Float[np.ndarray, "3"]:
        """The middle of red, or above it where the tool goes no lower."""
        return np.maximum(self._place("red"), [-np.inf, -np.inf, WORKSPACE[0, 2]])

    def _place(self, colour: str) -> Float[np.ndarray, "3"]:
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
