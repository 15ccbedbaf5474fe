"""How the planner plays each suite task: how hard to think, and what leads it where the task's reward is flat."""

import dataclasses
from collections.abc import Callable
from typing import Any

from data_pipelines.suites.dm_control import guides, replicas
from data_pipelines.suites.planners.mppi import Mppi, MppiExpert, Reward
from data_pipelines.suites.planners.regulator import RegulatorExpert


@dataclasses.dataclass(frozen=True)
class PlannedTask:
    """A suite task as the planner sees it.

    Args:
      settings: of the planner.
      replica: of the task's reward, for all states at once; None asks the task for its own.
      guide: added to the task's own reward, from its physics; None adds nothing.
    """

    settings: Mppi
    replica: Reward | None = None
    guide: Callable[[Any], float] | None = None


TASKS = {
    "ball_in_cup_catch": PlannedTask(
        Mppi(horizon=0.8, knots=6, samples=32, sigma=0.6, replan=4), replicas.ball_in_cup_reward
    ),
    "walker_stand": PlannedTask(
        Mppi(horizon=1.0, knots=6, samples=48, sigma=0.7, replan=2, timestep=0.005), replicas.walker_stand_reward
    ),
    "walker_walk": PlannedTask(
        Mppi(horizon=0.75, knots=6, samples=48, sigma=0.5, replan=2, timestep=0.005), replicas.walker_walk_reward
    ),
    "cartpole_balance": PlannedTask(
        Mppi(horizon=1.0, knots=8, samples=32, sigma=0.3, replan=2, timestep=0.04), replicas.cartpole_reward
    ),
    "cartpole_swingup": PlannedTask(
        Mppi(horizon=1.2, knots=10, samples=48, sigma=0.5, replan=4, temperature=0.05), replicas.cartpole_reward
    ),
    "point_mass_easy": PlannedTask(
        Mppi(horizon=0.5, knots=4, samples=24, sigma=0.4, replan=2, timestep=0.04), replicas.point_mass_reward
    ),
    "reacher_easy": PlannedTask(
        Mppi(horizon=0.6, knots=5, samples=24, sigma=0.4, replan=2, timestep=0.04, iterations=2, warmup=10),
        replicas.reacher_reward,
    ),
    "reacher_hard": PlannedTask(
        Mppi(horizon=0.6, knots=5, samples=32, sigma=0.3, replan=2), replicas.reacher_reward
    ),
    "pendulum_swingup": PlannedTask(
        Mppi(horizon=1.2, knots=6, samples=32, sigma=0.5, replan=2, timestep=0.04, warmup=10),
        replicas.pendulum_reward,
    ),
    "cartpole_balance_sparse": PlannedTask(
        Mppi(horizon=1.0, knots=8, samples=32, sigma=0.3, replan=2, timestep=0.04), guide=guides.cartpole
    ),
    "cartpole_swingup_sparse": PlannedTask(  # the reward of `cartpole_swingup`
        Mppi(horizon=1.2, knots=10, samples=48, sigma=0.5, replan=4, temperature=0.05), replicas.cartpole_reward
    ),
    "point_mass_hard": PlannedTask(
        Mppi(horizon=0.5, knots=4, samples=24, sigma=0.4, replan=2, timestep=0.04), guide=guides.point_mass
    ),
    "fish_upright": PlannedTask(Mppi(horizon=0.6, knots=5, samples=24, sigma=0.5, replan=2, judged=6)),
    "fish_swim": PlannedTask(
        Mppi(
            horizon=1.6, knots=8, samples=64, sigma=0.8, fine=0.2, replan=3, temperature=0.03, timestep=0.008, judged=5
        ),
        guide=guides.fish_swim,
    ),
    "finger_turn_easy": PlannedTask(
        Mppi(horizon=0.8, knots=5, samples=32, sigma=0.6, replan=2, judged=8), guide=guides.finger_turn
    ),
    "finger_turn_hard": PlannedTask(
        Mppi(horizon=0.8, knots=5, samples=32, sigma=0.6, replan=2, judged=8), guide=guides.finger_turn
    ),
    "manipulator_bring_ball": PlannedTask(
        Mppi(
            horizon=0.6, knots=5, samples=48, sigma=0.8, fine=0.1, replan=4, temperature=0.03, timestep=0.002, judged=6
        ),
        guide=guides.manipulator_ball,
    ),
    "quadruped_walk": PlannedTask(Mppi(horizon=0.6, knots=5, samples=32, sigma=0.6, fine=0.3, replan=3, judged=6)),
}  # fmt: skip
"""Suite tasks by name, domain and task joined by "_"."""


REGULATED = ("lqr_lqr_2_1", "lqr_lqr_6_2")
"""Linear worlds with quadratic rewards."""


def make_expert(name: str) -> MppiExpert | RegulatorExpert:
    """The planner for one of `TASKS` or `REGULATED`."""
    if name in REGULATED:
        return RegulatorExpert()
    task = TASKS[name]
    guide = task.guide
    return MppiExpert(
        task.settings,
        reward=task.replica,
        guide=None if guide is None else lambda world: guide(world.physics),
    )
