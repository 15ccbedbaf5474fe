"""What leads a planner to where a suite task's own reward begins to tell plans apart.

Each is a function of the task's physics and is added to the task's reward while planning. Only the suite's reward
counts when an episode is judged.
"""

from typing import Any

import numpy as np


def cartpole(physics: Any) -> float:
    """Poles up, cart in the middle, slow at the top."""
    up = float(physics.pole_angle_cosine().mean())
    slow = 0.02 * float(np.square(physics.angular_vel()).mean()) * (up > 0.7)
    return 0.3 * up - 0.1 * abs(physics.cart_position()) - slow


def finger_turn(physics: Any) -> float:
    """Near the target and, once there, still."""
    distance = max(0.0, physics.dist_to_target())
    return -2.0 * distance - 0.02 * abs(physics.hinge_velocity()) * (distance < 0.05)


def fish_swim(physics: Any) -> float:
    """Towards the target."""
    return -float(np.linalg.norm(physics.mouth_to_target()))


def point_mass(physics: Any) -> float:
    """Towards the target."""
    return -float(physics.mass_to_target_dist())


def manipulator_ball(physics: Any) -> float:
    """Hand to the ball, ball to the target."""
    reach = physics.site_distance("ball", "grasp")
    bring = physics.site_distance("ball", "target_ball")
    return -0.5 * min(reach, 1.0) - bring
