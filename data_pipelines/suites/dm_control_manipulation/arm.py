"""The Jaco arm and hand as a script sees them: shifts of the tool become velocities of joints."""

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from dm_control.utils import inverse_kinematics
from jaxtyping import Bool, Float

from data_pipelines.suites.planners.motion import CLOSE, Place

MIDDLE = np.array([0.0, -0.013, 0.0])
"""Where the three fingers hold an object, in the frame of the hand's pinch site (metres): finger 1 closes along x
between the other two."""

FINGERS_OPEN = 0.97
"""Angle of open fingers, in radians: wide enough for a brick, and not so wide that they hit the next one."""

FINGERTIPS = ((0.036, 0.009), (-0.036, -0.017), (-0.036, 0.015))
"""Where the open fingertips are: across and along from their middle (metres)."""

_GAIN = 8.0
"""Share of an error that is made good in a second."""
_UPRIGHT_GAIN = 6.0
_FASTEST = 0.35
"""Of the tool, in m/s."""
_FASTEST_TURN = 2.0
_FINGER_GAIN = 8.0
_GRIP = np.array([0.9, 0.45, 0.45])
"""Torques of closing fingers (Nm): the one presses against the other two."""
_WAITING = 0.15
"""Torque of a finger that touches something before the others do (Nm)."""
_CENTRE_GAIN = 1.0
"""Share of a finger's difference from the others that is made good in a second, so that they meet in the middle."""
_FINGER_SERVO = 10.0
"""Torque of a finger's actuator for a difference of 1 rad/s (Nm)."""
_SERVO = 500.0
"""Torque of an arm's actuator for a difference of 1 rad/s (Nm)."""
_DAMPING = 1e-4
_UP = np.array([0.0, 0.0, 1.0])
_AXIS = 2
"""Of the pinch site: it points out of the hand, down at the start of an episode."""


class JacoArm:
    """The arm of one episode. Its tool points down.

    Args:
      env: a `ManipulationEnvironment` whose episode has just begun.
      open_angle: of the fingers, in radians.
    """

    def __init__(self, env: Any, *, open_angle: float = FINGERS_OPEN):
        physics, task = env.physics, env.task
        self._physics, self._open = physics, open_angle
        self._site = physics.bind(task.hand.tool_center_point)
        self._joints, self._fingers = physics.bind(task.arm.joints), physics.bind(task.hand.joints)
        self._dofs = np.array(self._joints.dofadr)
        controls = physics.bind([*task.arm.actuators, *task.hand.actuators])
        geoms = {geom: physics.bind(geom).element_id for geom in task.hand.mjcf_model.find_all("geom")}
        self._hand = frozenset(geoms.values())
        self._finger_of = {
            index: int(geom.name[-1]) - 1 for geom, index in geoms.items() if (geom.name or "").startswith("finger_")
        }
        self._most = np.array(controls.ctrlrange)[:, 1]
        self.level()

    def level(
        self, upright: Callable[[], Float[np.ndarray, "3"]] | None = None, lean: Float[np.ndarray, "3"] | None = None
    ) -> None:
        """Holds a direction upright from now on.

        Args:
          upright: that of an object in the hand; None: the hand's own.
          lean: where that points instead, in metres beside a metre up; None is straight up.
        """
        self._upright = upright or (lambda: self.up)
        aim = _UP if lean is None else _UP + lean
        self._aim = aim / np.linalg.norm(aim)

    @property
    def tool(self) -> Place:
        return np.array(self._site.xpos) + self._frame @ MIDDLE

    @property
    def yaw(self) -> float:
        return float(np.arctan2(self._frame[1, 0], self._frame[0, 0]))

    @property
    def up(self) -> Float[np.ndarray, "3"]:
        """Direction against that in which the hand points."""
        return -self._frame[:, _AXIS]

    def action(self, shift: Place, turn: float, grip: float) -> Float[np.ndarray, "9"]:
        velocity = _GAIN * shift
        velocity *= min(1.0, _FASTEST / max(float(np.linalg.norm(velocity)), 1e-9))
        spin = _UPRIGHT_GAIN * np.cross(self._upright(), self._aim)
        spin[2] = np.clip(_GAIN * turn, -_FASTEST_TURN, _FASTEST_TURN)
        joints = inverse_kinematics.nullspace_method(self._jacobian(), np.concatenate([velocity, spin]), _DAMPING)
        joints /= max(1.0, float(np.max(np.abs(joints) / self._most[:-3])))  # slower, but in the same direction
        # The velocity servos have no integrator: what gravity takes is added to what they are asked for.
        joints += np.array(self._physics.data.qfrc_bias)[self._dofs] / _SERVO
        fingers = self._closing() if grip == CLOSE else _FINGER_GAIN * (self._open - np.array(self._fingers.qpos))
        return np.clip(np.concatenate([joints, fingers]) / self._most, -1.0, 1.0)

    def _closing(self) -> Float[np.ndarray, "3"]:
        """Velocities for the fingers' servos: all close; who touches something first waits for the others."""
        angles, touching = np.array(self._fingers.qpos), self._touching()
        if touching[0] and touching[1:].any():
            middle = (angles[0] + angles[1:].mean()) / 2
            return _GRIP / _FINGER_SERVO + _CENTRE_GAIN * (middle - angles)
        return np.where(touching, _WAITING / _FINGER_SERVO, self._most[-3:])

    def _touching(self) -> Bool[np.ndarray, "3"]:
        """Whether each finger is in contact with something that is no part of the hand."""
        touching = np.zeros(3, bool)
        for contact in self._physics.data.contact:
            for one, other in ((contact.geom1, contact.geom2), (contact.geom2, contact.geom1)):
                if one in self._finger_of and other not in self._hand:
                    touching[self._finger_of[one]] = True
        return touching

    @property
    def _frame(self) -> Float[np.ndarray, "3 3"]:
        return np.array(self._site.xmat).reshape(3, 3)

    def _jacobian(self) -> Float[np.ndarray, "6 6"]:
        model, data = self._physics.model.ptr, self._physics.data.ptr
        jacobian = np.zeros((6, model.nv))
        mujoco.mj_jac(model, data, jacobian[:3], jacobian[3:], self.tool, self._body())
        return jacobian[:, self._dofs]

    def _body(self) -> int:
        return int(self._physics.model.site_bodyid[self._site.element_id])
