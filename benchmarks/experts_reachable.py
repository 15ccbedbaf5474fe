"""The most that can be got where what is published cannot: from the starts at which experts are scored.

    python -m benchmarks.experts_reachable

`dm_control.lqr_*`: rewards are 1 less quadratic costs. So no controller gets more than the steps of an episode less the
least cost from its start, which the Riccati recursion gives for controls of any size. Prints the mean.

`dm_control_random_*.reacher_*`: a wrist whose range became smaller leaves targets near the shoulder out of reach.
Prints the share of starts at which the finger can touch the target at all.

`benchmarks.experts_bars` has the numbers.
"""

import mujoco
import numpy as np
from jaxtyping import Float

from benchmarks.experts import EPISODES
from data_pipelines.scores import EVALUATION_SEED_BASE
from data_pipelines.suites import catalog
from data_pipelines.suites.dm_control.tasks import EPISODE_STEPS
from data_pipelines.suites.planners.plannable import plannable
from data_pipelines.suites.planners.regulator import curvature, linearised


def reachable(name: str, seed: int) -> float:
    """An upper bound of the return of the episode that a seed starts in a linear world."""
    env = catalog.make(name)
    env.reset_to(seed)
    world = plannable(env)
    start = world.state()[1:]
    return EPISODE_STEPS - 0.5 * start @ cost_to_go(*linearised(world), *curvature(world), EPISODE_STEPS) @ start


def cost_to_go(a: np.ndarray, b: np.ndarray, q: np.ndarray, r: np.ndarray, steps: int) -> Float[np.ndarray, "nx nx"]:
    """P of x'Px, the least sum of x'Qx after each step and u'Ru at it, over x' = Ax + Bu."""
    value = np.zeros_like(q)
    for _ in range(steps):
        after = q + value
        gain = np.linalg.solve(r + b.T @ after @ b, b.T @ after @ a)
        value = a.T @ after @ (a - b @ gain)
    return value


def can_touch(name: str, seed: int) -> bool:
    """Whether a reacher's finger can touch its target in the episode that a seed starts: the shoulder turns freely."""
    env = catalog.make(name)
    env.reset_to(seed)
    world = plannable(env)
    model, data = world.model, world.data
    target, finger = model.geom("target"), model.geom("finger")
    distances = []
    for wrist in np.linspace(*model.joint("wrist").range, 1000):
        data.joint("wrist").qpos = wrist
        mujoco.mj_kinematics(model, data)
        distances.append(np.linalg.norm(data.geom("finger").xpos[:2]))
    return np.abs(np.array(distances) - np.linalg.norm(target.pos[:2])).min() <= target.size[0] + finger.size[0]


def main() -> None:
    seeds = range(EVALUATION_SEED_BASE, EVALUATION_SEED_BASE + EPISODES)
    for name in ("dm_control.lqr_lqr_2_1", "dm_control.lqr_lqr_6_2"):
        print(f"{name}: {np.mean([reachable(name, seed) for seed in seeds]):.1f}")
    for name in (
        f"dm_control_random_{size}.reacher_{goal}" for size in ("small", "large") for goal in ("easy", "hard")
    ):
        print(f"{name}: {np.mean([can_touch(name, seed) for seed in seeds]):.2f}")


if __name__ == "__main__":
    main()
