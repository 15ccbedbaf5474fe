"""Sampling-based model predictive control on `mujoco.rollout`.

Model predictive path integral control (Williams et al., 2017) over spline knots: perturb the plan, simulate all
perturbed plans at once, average the knots by softmax of their returns, execute the first few actions, shift in time.
With temperature 0 the best plan is taken instead: predictive sampling (Howell et al., 2022).
"""

import copy
import dataclasses
from collections.abc import Callable

import dm_env
import mujoco
import numpy as np
from jaxtyping import Float
from mujoco import rollout

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.own_reward import Guide, judged_steps, own_rewards
from data_pipelines.suites.planners.plannable import PlannableWorld, plannable
from data_pipelines.suites.planners.settings import Mppi


@dataclasses.dataclass(frozen=True)
class Trajectories:
    """Simulated plans, what a reward of all states at once may look at. Axes: N plans, T simulation steps.

    `states` are time, positions, velocities, activations after each step; `world` is the one they were simulated in.
    """

    states: Float[np.ndarray, "N T ns"]
    controls: Float[np.ndarray, "N T nu"]
    sensors: Float[np.ndarray, "N T nd"]
    world: PlannableWorld

    @property
    def model(self) -> mujoco.MjModel:
        return self.world.model

    @property
    def positions(self) -> Float[np.ndarray, "N T nq"]:
        return self.states[:, :, 1 : 1 + self.model.nq]

    @property
    def velocities(self) -> Float[np.ndarray, "N T nv"]:
        return self.states[:, :, 1 + self.model.nq : 1 + self.model.nq + self.model.nv]


Reward = Callable[[Trajectories], Float[np.ndarray, "N T"]]
"""A reward of all states of all plans at once, which is faster than asking a world state by state."""


class MppiExpert:
    """Plans in a copy of the world that the environment makes of itself (`planners.plannable`).

    Args:
      settings: of the planner.
      reward: of all states at once; None asks the world for its own, state by state.
      guide: added to what the world is asked for; None adds nothing.
    """

    def __init__(self, settings: Mppi, *, reward: Reward | None = None, guide: Guide | None = None):
        self._settings = settings
        self._reward = reward
        self._guide = guide
        # One thread: recording already runs one process per core, and sums stay the same from run to run.
        self._rollout = rollout.Rollout(nthread=1)

    def reset(self, env: Environment, seed: int) -> None:
        settings = self._settings
        self._name = env.spec.name
        self._world: PlannableWorld = plannable(env)
        self._model = copy.copy(self._world.model)  # whose time steps are the planner's own
        if settings.timestep:
            self._model.opt.timestep = settings.timestep
            self._model.opt.integrator = mujoco.mjtIntegrator.mjINT_EULER
        self._data = [mujoco.MjData(self._model)]
        self._models = [self._model] * settings.samples
        timestep = self._model.opt.timestep
        steps = max(1, round(settings.horizon / timestep))
        self._stride = max(1, round(self._world.control_timestep / timestep))  # simulation steps of an environment step
        self._judged = judged_steps(steps, settings.judged, self._stride)
        self._knot_times = np.linspace(0.0, settings.horizon, settings.knots)
        times = np.arange(steps)
        times = (times // self._stride * self._stride if settings.hold else times) * timestep
        self._weights = _interpolation(self._knot_times, times)
        self._middle, self._half = (self._world.high + self._world.low) / 2, (self._world.high - self._world.low) / 2
        self._rng = np.random.default_rng(seed)
        self._knots = np.zeros((settings.knots, self._model.nu))
        for _ in range(settings.warmup):
            self._plan()
        self._since_plan = settings.replan

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        control_timestep = self._world.control_timestep
        if self._since_plan >= self._settings.replan:
            self._shift(self._settings.replan * control_timestep)
            for _ in range(self._settings.iterations):
                self._plan()
            self._since_plan = 0
        weights = _interpolation(self._knot_times, np.array([self._since_plan * control_timestep]))
        self._since_plan += 1
        return self._controls((weights @ self._knots)[0]).astype(np.float32)

    def _controls(self, plan: np.ndarray) -> np.ndarray:
        """From [-1, 1] to each control's own range."""
        return self._middle + self._half * plan

    def _shift(self, seconds: float) -> None:
        self._knots = _interpolation(self._knot_times, self._knot_times + seconds) @ self._knots

    def _plan(self) -> None:
        settings = self._settings
        noise = self._rng.normal(0.0, settings.sigma, (settings.samples, *self._knots.shape))
        if settings.fine != 1.0:
            noise *= np.geomspace(1.0, settings.fine, settings.samples)[:, None, None]
        noise[0] = 0.0
        knots = np.clip(self._knots + noise, -1.0, 1.0)
        returns = self._returns(self._controls(np.einsum("tk,nku->ntu", self._weights, knots)))
        best = returns.max()
        spread = best - returns.min()
        if spread <= 0.0:
            return  # all plans are worth the same: keep the current one
        if settings.temperature == 0.0:
            self._knots = knots[returns.argmax()]
            return
        weights = np.exp((returns - best) / (settings.temperature * spread))
        self._knots = np.einsum("n,nku->ku", weights / weights.sum(), knots)

    def _returns(self, controls: Float[np.ndarray, "N T nu"]) -> Float[np.ndarray, "N"]:
        """Mean reward of each plan from the episode's present state."""
        start = np.tile(self._world.state(), (self._settings.samples, 1))
        states, sensors = self._rollout.rollout(self._models, self._data, start, controls)
        if self._reward is not None:
            rewards = self._reward(Trajectories(states, controls, sensors, self._world))
        else:
            after = states[:, self._judged]
            before = np.where(
                (self._judged < self._stride)[:, None], start[:, None], states[:, self._judged - self._stride]
            )
            rewards = own_rewards(self._world, before, after, controls[:, self._judged], self._guide)
        returns = rewards.mean(axis=1)
        if not np.isfinite(returns).all():
            raise ValueError(
                f"task {self._name!r}: {np.sum(~np.isfinite(returns))} of {len(returns)} simulated plans have a reward "
                f"that is not finite, from a state at {start[0, 0]:.3f} s: its model is not one that can be simulated"
            )
        return returns


def _interpolation(knot_times: np.ndarray, times: np.ndarray) -> Float[np.ndarray, "T K"]:
    """Weights of linear interpolation; beyond the last knot its value is held."""
    return np.stack([np.interp(times, knot_times, row) for row in np.eye(len(knot_times))], axis=1)
