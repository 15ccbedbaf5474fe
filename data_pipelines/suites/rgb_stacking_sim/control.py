"""From a velocity of the tool to velocities of the arm's joints, by a damped inverse of MuJoCo's Jacobian."""

import mujoco
import numpy as np
from dm_robotics.moma.models.robots.robot_arms import sawyer_constants
from jaxtyping import Float

from data_pipelines.suites.rgb_stacking_sim.scene import BASKET, Scene

MAX_SPEED = 0.07
"""Of the tool along each axis, in m/s."""

MAX_YAW_RATE = 1.0
"""Of the tool around the vertical axis, in rad/s."""

WORKSPACE = np.array([[-0.125, -0.125, 0.02], [0.125, 0.125, 0.22]]) + np.array(BASKET)
"""Lowest and highest position of the tool, in metres: beyond them it only moves inwards."""

REST = np.array([0.0, -0.5186, -0.5294, 1.2209, 0.4086, 1.0783, 0.0])
"""Joint angles that the arm drifts to where the tool leaves it free (radians); the tool then points down."""

WRIST_RANGE = np.pi / 2
"""Of the last joint to both sides, in radians: beyond it the tool only turns back."""

_DAMPING = 0.02
_UPRIGHT_GAIN = 2.0
_REST_GAIN = 0.1
_TOOL_AXIS = 2
_UP = np.array([0.0, 0.0, 1.0])


class CartesianControl:
    """Moves the tool, which points down, along x, y and z and around z."""

    def __init__(self, scene: Scene):
        model = scene.physics.model
        self._data = scene.physics.data
        self._model = model
        self._pinch = model.name2id(scene.pinch, "site")
        joints = [model.name2id(joint, "joint") for joint in scene.joints]
        self._dofs = model.jnt_dofadr[joints]
        self._places = model.jnt_qposadr[joints]
        self._range = np.array(model.jnt_range[joints])
        self._limits = np.array(sawyer_constants.VELOCITY_LIMITS["max"])

    def joint_velocities(self, command: Float[np.ndarray, "4"], seconds: float) -> Float[np.ndarray, "7"]:
        """Joint velocities, in rad/s.

        Args:
          command: along x, y and z and around z, as shares of the highest speeds, in [-1, 1].
          seconds: for which they will hold: no joint leaves its range in that time.
        """
        angles = self._data.qpos[self._places]
        jacobian = self._jacobian()
        inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + _DAMPING**2 * np.eye(6))
        velocities = inverse @ self._twist(command, angles)
        velocities += (np.eye(len(angles)) - inverse @ jacobian) @ (_REST_GAIN * (REST - angles))
        velocities /= max(1.0, np.max(np.abs(velocities) / self._limits))
        low, high = self._range.T
        return np.clip(velocities, (low - angles) / seconds, (high - angles) / seconds)

    def _jacobian(self) -> Float[np.ndarray, "6 7"]:
        jacobian = np.zeros((6, self._model.nv))
        mujoco.mj_jacSite(self._model.ptr, self._data.ptr, jacobian[:3], jacobian[3:], self._pinch)
        return jacobian[:, self._dofs]

    def _twist(self, command: np.ndarray, angles: np.ndarray) -> Float[np.ndarray, "6"]:
        """Velocity and angular velocity of the tool in the world: what is asked, less what leaves the workspace."""
        position = self._data.site_xpos[self._pinch]
        low, high = WORKSPACE
        linear = np.where(position < low, np.maximum(command[:3], 0.0), command[:3])
        linear = np.where(position > high, np.minimum(linear, 0.0), linear)
        # The last joint's axis points down with the tool, so that it turns against the yaw.
        returns = command[3] * angles[-1] > 0
        yaw = command[3] if returns or abs(angles[-1]) < WRIST_RANGE else 0.0
        axis = self._data.site_xmat[self._pinch].reshape(3, 3)[:, _TOOL_AXIS]
        upright = np.clip(_UPRIGHT_GAIN * np.cross(axis, -_UP), -MAX_YAW_RATE, MAX_YAW_RATE)
        return np.concatenate([MAX_SPEED * linear, upright + MAX_YAW_RATE * yaw * _UP])
