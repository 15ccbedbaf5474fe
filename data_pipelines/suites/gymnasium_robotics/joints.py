"""Joints by name for gymnasium-robotics 1.4.2, whose own functions fail on MuJoCo 3.16.

They look for a joint's type, an integer of NumPy, in a tuple of MuJoCo's enum, where 3.16 finds it no more. MuJoCo's
named access needs no types: it is a view of just the numbers of that joint.
"""

from typing import Any

import numpy as np
from gymnasium_robotics.utils import mujoco_utils


def get_joint_qpos(model: Any, data: Any, name: str) -> np.ndarray:
    """Position of a joint: 7 numbers of a free one, 4 of a ball, 1 of a hinge or slide."""
    del model
    return data.joint(name).qpos


def get_joint_qvel(model: Any, data: Any, name: str) -> np.ndarray:
    """Velocity of a joint: 6 numbers of a free one, 3 of a ball, 1 of a hinge or slide."""
    del model
    return data.joint(name).qvel


def set_joint_qpos(model: Any, data: Any, name: str, value: Any) -> None:
    """Sets what `get_joint_qpos` gives."""
    get_joint_qpos(model, data, name)[:] = value


def set_joint_qvel(model: Any, data: Any, name: str, value: Any) -> None:
    """Sets what `get_joint_qvel` gives."""
    get_joint_qvel(model, data, name)[:] = value


def mend() -> None:
    """Puts these functions in the place of the library's."""
    for function in (get_joint_qpos, get_joint_qvel, set_joint_qpos, set_joint_qvel):
        setattr(mujoco_utils, function.__name__, function)
