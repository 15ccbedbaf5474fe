"""The optimal regulator of a linear world with a quadratic reward."""

import copy

import dm_env
import mujoco
import numpy as np
import scipy.linalg
from jaxtyping import Float

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.plannable import PlannableWorld, plannable
from data_pipelines.suites.planners.settings import Regulator

_DIFFERENCE = 1e-3


class RegulatorExpert:
    """Linear feedback from the discrete Riccati equation: exact where the world is linear and its reward quadratic.

    The world is linearised at the model's resting state, which is to be held.

    Args:
      settings: what states and controls cost.
    """

    def __init__(self, settings: Regulator = Regulator()):  # noqa: B008 (frozen)
        self._settings = settings

    def reset(self, env: Environment, seed: int) -> None:
        del seed  # nothing is drawn
        self._world = plannable(env)
        model = self._world.model
        if model.nq != model.nv or model.na:
            raise ValueError(
                f"task {env.spec.name!r}: a regulator needs as many positions as velocities and no activations, found "
                f"{model.nq} positions, {model.nv} velocities, {model.na} activations"
            )
        self._action = env.spec.action
        settings = self._settings
        if settings.state_costs:
            costs = np.diag(settings.state_costs), settings.control_cost * np.eye(model.nu)
        else:
            costs = curvature(self._world)
        self._gain = riccati_gain(*linearised(self._world), *costs)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        controls = -self._gain @ self._world.state()[1:]
        return np.clip(controls, self._action.low, self._action.high).astype(np.float32)


def riccati_gain(a: np.ndarray, b: np.ndarray, q: np.ndarray, r: np.ndarray) -> Float[np.ndarray, "nu nx"]:
    """K of u = -K x that minimises the sum of x'Qx + u'Ru over x' = Ax + Bu."""
    cost_to_go = scipy.linalg.solve_discrete_are(a, b, q, r)
    return np.linalg.solve(r + b.T @ cost_to_go @ b, b.T @ cost_to_go @ a)


def linearised(world: PlannableWorld) -> tuple[Float[np.ndarray, "nx nx"], Float[np.ndarray, "nx nu"]]:
    """A and B of one environment step from the resting state; x are positions and velocities."""
    model = copy.copy(world.model)
    model.opt.integrator = mujoco.mjtIntegrator.mjINT_EULER  # MuJoCo does not differentiate RK4
    data = mujoco.MjData(model)
    a, b = np.zeros((2 * model.nv, 2 * model.nv)), np.zeros((2 * model.nv, model.nu))
    mujoco.mjd_transitionFD(model, data, _DIFFERENCE, True, a, b, None, None)
    step_a, step_b = a, b
    for _ in range(round(world.control_timestep / model.opt.timestep) - 1):
        a, b = step_a @ a, step_a @ b + step_b
    return a, b


def curvature(world: PlannableWorld) -> tuple[Float[np.ndarray, "nx nx"], Float[np.ndarray, "nu nu"]]:
    """Minus the second derivatives of the world's own reward at the resting state, by states and by controls."""
    states, controls = 2 * world.model.nv, world.model.nu

    def reward(point: np.ndarray) -> float:
        state = np.concatenate([[0.0], point[:states]])  # time first
        return world.reward(state, state, point[states:])[0]

    size = states + controls
    hessian = np.empty((size, size))
    steps = np.eye(size) * _DIFFERENCE
    for i in range(size):
        for j in range(i + 1):
            across = [reward(p * steps[i] + q * steps[j]) for p, q in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            hessian[i, j] = hessian[j, i] = (across[0] - across[1] - across[2] + across[3]) / (4 * _DIFFERENCE**2)
    return -hessian[:states, :states], -hessian[states:, states:]
