"""Rewards of suite tasks written again, for all states of all simulated plans at once.

Recordings were made with them, so they stay beside the tasks' own rewards, which planners can ask for. Each has a
little dense shaping where the suite's own reward is flat far from the goal. Only the suite's reward counts when an
episode is judged.
"""

import numpy as np
from dm_control.utils.rewards import tolerance
from jaxtyping import Float

from data_pipelines.suites.planners.mppi import Trajectories


def _small_control(controls: np.ndarray) -> Float[np.ndarray, "N T"]:
    reward = tolerance(controls, margin=1, value_at_margin=0, sigmoid="quadratic").mean(axis=-1)
    return (4.0 + reward) / 5.0


def cartpole_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Upright, near the middle, slowly turning, with little force."""
    upright = (np.cos(plans.positions[..., 1]) + 1.0) / 2.0
    centred = (1.0 + tolerance(plans.positions[..., 0], margin=2)) / 2.0
    slow = (1.0 + tolerance(plans.velocities[..., 1], margin=5)) / 2.0
    return upright * centred * slow * _small_control(plans.controls)


def cartpole_sparse_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Upright and near the middle, which is all that the sparse tasks reward; the dense reward leads there."""
    upright = np.cos(plans.positions[..., 1]) >= 0.995
    centred = np.abs(plans.positions[..., 0]) <= 0.25  # metres
    return (upright & centred) + cartpole_reward(plans)


def point_mass_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Near the target; the distance itself leads there from afar."""
    radius = plans.model.geom("target").size[0]
    distance = np.linalg.norm(plans.positions, axis=-1)
    near = tolerance(distance, bounds=(0, radius), margin=radius)
    return near * _small_control(plans.controls) - distance


def reacher_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Fingertip on the target; distance and speed lead there and keep it there."""
    shoulder, wrist = plans.positions[..., 0], plans.positions[..., 0] + plans.positions[..., 1]
    upper, lower = 0.12, 0.12  # metres, from the suite's model
    tip = np.stack(
        [upper * np.cos(shoulder) + lower * np.cos(wrist), upper * np.sin(shoulder) + lower * np.sin(wrist)], axis=-1
    )
    target = plans.model.geom("target")
    distance = np.linalg.norm(tip - target.pos[:2], axis=-1)
    reach = target.size[0] + plans.model.geom("finger").size[0]
    speed = np.square(plans.velocities).sum(axis=-1)
    return tolerance(distance, bounds=(0, reach)) - 4.0 * distance - 0.001 * speed


def pendulum_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Upright; height leads there, and speed is paid for near the top."""
    height = np.cos(plans.positions[..., 0])
    upright = tolerance(height, bounds=(np.cos(np.deg2rad(8)), 1))
    return upright + 0.3 * height - 0.01 * np.square(plans.velocities[..., 0]) * (height > 0.5)


def ball_in_cup_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Ball inside the cup; from below, first bring it above the rim."""
    model, positions = plans.model, plans.positions
    target = positions[..., :2] + (model.body("cup").pos + model.site("target").pos)[[0, 2]]
    ball = positions[..., 2:] + model.body("ball").pos[[0, 2]]
    clearance = model.site("target").size[[0, 2]] - model.geom("ball").size[0]
    offset = ball - target
    inside = (np.abs(offset) < clearance).all(axis=-1)
    above = offset[..., 1] > 0.0
    # Sideways distance counts above the rim only: below it, the way up leads around the cup.
    return inside + np.clip(offset[..., 1], -0.4, 0.0) + above * (0.2 - np.abs(offset[..., 0]))


def walker_stand_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Torso high and upright."""
    height = plans.positions[..., 0] + plans.model.body("torso").pos[2]
    stands = tolerance(height, bounds=(1.2, float("inf")), margin=0.6)
    upright = (1.0 + np.cos(plans.positions[..., 2])) / 2.0
    return (3.0 * stands + upright) / 4.0


def walker_walk_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Standing, and going forward at 1 m/s or more."""
    speed = plans.sensors[..., 0]
    move = tolerance(speed, bounds=(1.0, float("inf")), margin=0.5, value_at_margin=0.5, sigmoid="linear")
    return walker_stand_reward(plans) * (5.0 * move + 1.0) / 6.0
