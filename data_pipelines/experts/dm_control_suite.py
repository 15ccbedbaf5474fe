"""What the planner needs to know about each suite task: its model, its reward and how hard to think.

Rewards are those of the suite, computed for all simulated plans at once, plus a little dense shaping where the suite's
own reward is flat far from the goal. Only the suite's reward counts when an episode is judged.
"""

import dataclasses
from collections.abc import Callable

import mujoco
import numpy as np
from dm_control.suite import cartpole, pendulum, point_mass, reacher
from dm_control.utils.rewards import tolerance
from jaxtyping import Float

from data_pipelines.experts.mppi import Mppi, MppiExpert, Reward, Trajectories


@dataclasses.dataclass(frozen=True)
class PlannedTask:
    """A suite task as the planner sees it."""

    model_and_assets: Callable
    reward: Reward
    settings: Mppi


def _small_control(controls: np.ndarray) -> Float[np.ndarray, "N T"]:
    reward = tolerance(controls, margin=1, value_at_margin=0, sigmoid="quadratic").mean(axis=-1)
    return (4.0 + reward) / 5.0


def cartpole_reward(plans: Trajectories) -> Float[np.ndarray, "N T"]:
    """Upright, near the middle, slowly turning, with little force."""
    upright = (np.cos(plans.positions[..., 1]) + 1.0) / 2.0
    centred = (1.0 + tolerance(plans.positions[..., 0], margin=2)) / 2.0
    slow = (1.0 + tolerance(plans.velocities[..., 1], margin=5)) / 2.0
    return upright * centred * slow * _small_control(plans.controls)


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


TASKS = {
    "cartpole_balance": PlannedTask(
        cartpole.get_model_and_assets, cartpole_reward,
        Mppi(horizon=1.0, knots=8, samples=32, sigma=0.3, replan=2, timestep=0.02),
    ),
    "cartpole_swingup": PlannedTask(
        cartpole.get_model_and_assets, cartpole_reward,
        Mppi(horizon=1.2, knots=10, samples=48, sigma=0.5, replan=4, temperature=0.05),
    ),
    "point_mass_easy": PlannedTask(
        point_mass.get_model_and_assets, point_mass_reward,
        Mppi(horizon=0.5, knots=4, samples=24, sigma=0.4, replan=1),
    ),
    "reacher_easy": PlannedTask(
        reacher.get_model_and_assets, reacher_reward,
        Mppi(horizon=0.6, knots=5, samples=24, sigma=0.4, replan=2),
    ),
    "reacher_hard": PlannedTask(
        reacher.get_model_and_assets, reacher_reward,
        Mppi(horizon=0.6, knots=5, samples=32, sigma=0.3, replan=2),
    ),
    "pendulum_swingup": PlannedTask(
        pendulum.get_model_and_assets, pendulum_reward,
        Mppi(horizon=1.2, knots=6, samples=32, sigma=0.5, replan=2),
    ),
}  # fmt: skip
"""Suite tasks by name, domain and task joined by "_"."""


def make_expert(name: str) -> MppiExpert:
    """The planner for one of `TASKS`."""
    task = TASKS[name]

    def model() -> mujoco.MjModel:
        xml, assets = task.model_and_assets()
        text = xml.decode() if isinstance(xml, bytes) else xml
        return mujoco.MjModel.from_xml_string(text, assets)

    return MppiExpert(model, task.reward, task.settings)
