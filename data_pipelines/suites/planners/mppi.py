"""Sampling-based model predictive control on `mujoco.rollout`.

Model predictive path integral control (Williams et al., 2017) over spline knots: perturb the plan, simulate all
perturbed plans at once, average the knots by softmax of their returns, execute the first few actions, shift in time.
"""

import dataclasses
from collections.abc import Callable

import dm_env
import mujoco
import numpy as np
from jaxtyping import Float
from mujoco import rollout

from data_pipelines.suites.base.environment import Environment

_RANDOMISED_AT_RESET = (
    "body_pos", "geom_pos", "geom_size", "site_pos", "site_size", "dof_damping", "wrap_prm",
    # With perturbed bodies: what is scaled, and what follows from it.
    "actuator_acc0", "actuator_gear", "actuator_length0", "body_inertia", "body_invweight0", "body_ipos", "body_iquat",
    "body_mass", "body_subtreemass", "bvh_aabb", "bvh_nodeid", "dof_M0", "dof_invweight0", "dof_length", "geom_aabb",
    "geom_rbound", "jnt_range", "jnt_stiffness", "tendon_invweight0",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Trajectories:
    """Simulated plans, what a reward may look at. Axes: N plans, T simulation steps.

    `start` has the model's time, positions and velocities before the first step.
    """

    positions: Float[np.ndarray, "N T nq"]
    velocities: Float[np.ndarray, "N T nv"]
    controls: Float[np.ndarray, "N T nu"]
    sensors: Float[np.ndarray, "N T ns"]
    model: mujoco.MjModel


Reward = Callable[[Trajectories], Float[np.ndarray, "N T"]]


@dataclasses.dataclass(frozen=True)
class Mppi:
    """Settings of the planner.

    Args:
      horizon: seconds that a plan looks ahead.
      knots: points of the plan, joined by straight lines.
      samples: plans simulated at a time, the current one among them.
      sigma: standard deviation of the perturbation, for controls in [-1, 1].
      replan: environment steps between two plans.
      temperature: of the softmax over returns, as a share of their range; near 0 takes the best plan.
      timestep: seconds per simulation step inside the planner; 0 takes the environment's.
      iterations: plans made in a row at each replanning.
      warmup: plans made before the first action, so that first labels are no noise.
    """

    horizon: float
    knots: int = 6
    samples: int = 32
    sigma: float = 0.4
    replan: int = 2
    temperature: float = 0.1
    timestep: float = 0.0
    iterations: int = 1
    warmup: int = 0


class MppiExpert:
    """Plans in a second copy of the simulation.

    Args:
      model: a function that gives the planner's own MuJoCo model (it is changed: randomised targets are copied in).
      reward: reward of every step of every simulated plan.
      settings: of the planner.
    """

    def __init__(self, model: Callable[[], mujoco.MjModel], reward: Reward, settings: Mppi):
        self._model = model()
        self._reward = reward
        self._settings = settings
        if settings.timestep:
            self._model.opt.timestep = settings.timestep
            self._model.opt.integrator = mujoco.mjtIntegrator.mjINT_EULER
        # One thread: recording already runs one process per core, and sums stay the same from run to run.
        self._rollout = rollout.Rollout(nthread=1)
        self._data = [mujoco.MjData(self._model)]
        self._models = [self._model] * settings.samples
        steps = max(1, round(settings.horizon / self._model.opt.timestep))
        self._sample_times = np.arange(steps) * self._model.opt.timestep
        self._knot_times = np.linspace(0.0, settings.horizon, settings.knots)
        self._weights = _interpolation(self._knot_times, self._sample_times)

    def reset(self, env: Environment, seed: int) -> None:
        self._physics = env.physics
        for field in _RANDOMISED_AT_RESET:
            getattr(self._model, field)[...] = getattr(self._physics.model, field)
        self._control_timestep = env.control_timestep
        self._rng = np.random.default_rng(seed)
        self._knots = np.zeros((self._settings.knots, self._model.nu))
        for _ in range(self._settings.warmup):
            self._plan()
        self._since_plan = self._settings.replan

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        if self._since_plan >= self._settings.replan:
            self._shift(self._settings.replan * self._control_timestep)
            for _ in range(self._settings.iterations):
                self._plan()
            self._since_plan = 0
        weights = _interpolation(self._knot_times, np.array([self._since_plan * self._control_timestep]))
        self._since_plan += 1
        return (weights @ self._knots)[0].astype(np.float32)

    def _shift(self, seconds: float) -> None:
        self._knots = _interpolation(self._knot_times, self._knot_times + seconds) @ self._knots

    def _plan(self) -> None:
        settings = self._settings
        noise = self._rng.normal(0.0, settings.sigma, (settings.samples, *self._knots.shape))
        noise[0] = 0.0
        knots = np.clip(self._knots + noise, -1.0, 1.0)
        controls = np.einsum("tk,nku->ntu", self._weights, knots)
        data = self._physics.data
        start = np.concatenate([[data.time], data.qpos, data.qvel, data.act])
        states, sensors = self._rollout.rollout(
            self._models, self._data, np.tile(start, (settings.samples, 1)), controls
        )
        nq, nv = self._model.nq, self._model.nv
        trajectories = Trajectories(
            positions=states[:, :, 1 : 1 + nq],
            velocities=states[:, :, 1 + nq : 1 + nq + nv],
            controls=controls,
            sensors=sensors,
            model=self._model,
        )
        returns = self._reward(trajectories).mean(axis=1)
        spread = returns.max() - returns.min()
        if spread <= 0.0:
            return  # all plans are worth the same: keep the current one
        weights = np.exp((returns - returns.max()) / (settings.temperature * spread))
        self._knots = np.einsum("n,nku->ku", weights / weights.sum(), knots)


def _interpolation(knot_times: np.ndarray, times: np.ndarray) -> Float[np.ndarray, "T K"]:
    """Weights of linear interpolation; beyond the last knot its value is held."""
    return np.stack([np.interp(times, knot_times, row) for row in np.eye(len(knot_times))], axis=1)
