"""How the planner plays each suite task, as data: how hard to think, and what leads it where the reward is flat."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from data_pipelines.suites.planners.settings import Mppi, Regulator, described


@dataclasses.dataclass(frozen=True)
class PlannedTask:
    """A suite task as the planner sees it.

    Args:
      settings: of the planner.
      replica: function of `replicas`, the task's reward for all states at once; "" asks the task for its own.
      guide: function of `guides`, added to the task's own reward; "" adds nothing.
    """

    settings: Mppi
    replica: str = ""
    guide: str = ""


TASKS = {
    "ball_in_cup_catch": PlannedTask(
        Mppi(horizon=0.8, knots=6, samples=32, sigma=0.6, replan=4, timestep=0.004), "ball_in_cup_reward"
    ),
    "walker_stand": PlannedTask(
        Mppi(horizon=1.0, knots=6, samples=48, sigma=0.7, replan=2, timestep=0.005), "walker_stand_reward"
    ),
    "walker_walk": PlannedTask(
        Mppi(horizon=0.75, knots=6, samples=48, sigma=0.5, replan=2, timestep=0.005), "walker_walk_reward"
    ),
    "cartpole_balance": PlannedTask(
        Mppi(horizon=1.0, knots=8, samples=32, sigma=0.3, replan=2, timestep=0.04), "cartpole_reward"
    ),
    "cartpole_swingup": PlannedTask(
        Mppi(horizon=1.2, knots=10, samples=48, sigma=0.5, replan=4, temperature=0.05, timestep=0.02), "cartpole_reward"
    ),
    "point_mass_easy": PlannedTask(
        Mppi(horizon=0.5, knots=4, samples=24, sigma=0.4, replan=2, timestep=0.04), "point_mass_reward"
    ),
    "reacher_easy": PlannedTask(
        Mppi(horizon=0.6, knots=5, samples=24, sigma=0.4, replan=2, timestep=0.04, iterations=2, warmup=10),
        "reacher_reward",
    ),
    "reacher_hard": PlannedTask(
        Mppi(horizon=0.6, knots=5, samples=32, sigma=0.3, replan=2), "reacher_reward"
    ),
    "pendulum_swingup": PlannedTask(
        Mppi(horizon=1.2, knots=6, samples=32, sigma=0.5, replan=2, timestep=0.04, warmup=10),
        "pendulum_reward",
    ),
    "cartpole_balance_sparse": PlannedTask(
        Mppi(horizon=1.0, knots=8, samples=32, sigma=0.3, replan=2, timestep=0.04), "cartpole_sparse_reward"
    ),
    "cartpole_swingup_sparse": PlannedTask(
        Mppi(
            horizon=1.2, knots=10, samples=48, sigma=1.0, fine=0.1, replan=4, temperature=0.05, timestep=0.02
        ),
        "cartpole_sparse_reward",
    ),
    "point_mass_hard": PlannedTask(
        Mppi(horizon=0.5, knots=4, samples=24, sigma=0.4, replan=2, timestep=0.04), guide="point_mass"
    ),
    "fish_upright": PlannedTask(Mppi(horizon=0.6, knots=5, samples=24, sigma=0.5, replan=2, judged=6)),
    "fish_swim": PlannedTask(
        Mppi(
            horizon=1.6, knots=8, samples=64, sigma=0.8, fine=0.2, replan=3, temperature=0.03, timestep=0.008, judged=5
        ),
        guide="fish_swim",
    ),
    "finger_turn_easy": PlannedTask(
        Mppi(horizon=0.8, knots=5, samples=32, sigma=0.6, replan=4, judged=8), guide="finger_turn"
    ),
    "finger_turn_hard": PlannedTask(
        Mppi(horizon=0.8, knots=5, samples=32, sigma=0.6, replan=4, judged=8), guide="finger_turn"
    ),
    "manipulator_bring_ball": PlannedTask(
        Mppi(
            horizon=0.6, knots=5, samples=48, sigma=0.8, fine=0.1, replan=4, temperature=0.03, timestep=0.002, judged=6
        ),
        guide="manipulator_ball",
    ),
    "quadruped_walk": PlannedTask(Mppi(horizon=0.6, knots=5, samples=32, sigma=0.6, fine=0.3, replan=3, judged=6)),
}  # fmt: skip
"""Suite tasks by name, domain and task joined by "_"."""

REGULATED: Mapping[str, Regulator] = {
    "lqr_lqr_2_1": Regulator(),
    "lqr_lqr_6_2": Regulator(),
}
"""Linear worlds with quadratic rewards."""

_UNNAMED: Mapping[str, str] = {
    "ball_in_cup_catch": "3b0b3744", "cartpole_balance": "2786914a", "cartpole_balance_sparse": "2c2d4339",
    "cartpole_swingup": "1568aa4b", "cartpole_swingup_sparse": "1568aa4b", "finger_turn_easy": "01111fd0",
    "finger_turn_hard": "01111fd0", "fish_swim": "07dfaecb", "fish_upright": "ec3cfbbf",
    "lqr_lqr_2_1": "44136fa3", "lqr_lqr_6_2": "44136fa3",
    "manipulator_bring_ball": "7c5efe35", "pendulum_swingup": "d6678b6c", "point_mass_easy": "0c54351f",
    "point_mass_hard": "a37426ae", "quadruped_walk": "65c8fc07", "reacher_easy": "154569d7",
    "reacher_hard": "d06314ae", "walker_stand": "8f4a89f1", "walker_walk": "2fb0077b",
}  # fmt: skip
"""Digests of the settings that tasks had until 2026-11-28, when recordings and scores began to name them."""


def settings(task: str) -> Mapping[str, Any]:
    """What recordings and scores say of a task's planner; nothing where it has none."""
    planner = TASKS.get(task) or REGULATED.get(task)
    return described(planner, _UNNAMED.get(task, "")) if planner else {}
