"""The most that a controller can get in the suite's linear worlds, `dm_control.lqr_*`.

    python -m benchmarks.experts_reachable

Their rewards are 1 less quadratic costs. So no controller gets more than the steps of an episode less the least cost
from its start, which the Riccati recursion gives for controls of any size. Prints the mean over the starts from which
experts are scored. `benchmarks.experts_bars` has the numbers.
"""

import numpy as np
from jaxtyping import Float

from benchmarks.experts import EPISODES
from data_pipelines.scores import EVALUATION_SEED_BASE
from data_pipelines.suites import catalog
from data_pipelines.suites.dm_control.tasks import EPISODE_STEPS
from data_pipelines.suites.planners.plannable import plannable
from data_pipelines.suites.planners.regulator import curvature, linearised


def reachable(name: str, seed: int) -> float:
    """An upper bound of the return of the episode that a seed starts."""
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


def main() -> None:
    for name in ("dm_control.lqr_lqr_2_1", "dm_control.lqr_lqr_6_2"):
        values = [reachable(name, EVALUATION_SEED_BASE + number) for number in range(EPISODES)]
        print(f"{name}: {np.mean(values):.1f}")


if __name__ == "__main__":
    main()
