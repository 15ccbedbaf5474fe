"""Many copies of one body, simulated together, with rewards for all of them at once."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import mujoco
import numpy as np
from jaxtyping import Bool, Float
from mujoco import rollout

from data_pipelines.suites import catalog
from data_pipelines.suites.planners.plannable import plannable
from data_pipelines.suites.trained.settings import TrainedPolicy


@dataclasses.dataclass(frozen=True)
class Steps:
    """One decision of N bodies: T steps of the environment, each with its control. `states` are those after each step,
    `starts` those before the first; `seconds` is how long a step takes."""

    starts: Float[np.ndarray, "N ns"]
    states: Float[np.ndarray, "N T ns"]
    sensors: Float[np.ndarray, "N T nd"]
    controls: Float[np.ndarray, "N nu"]
    model: mujoco.MjModel
    seconds: float

    @property
    def positions(self) -> Float[np.ndarray, "N T nq"]:
        return self.states[..., 1 : 1 + self.model.nq]

    @property
    def velocities(self) -> Float[np.ndarray, "N T nv"]:
        return self.states[..., 1 + self.model.nq : 1 + self.model.nq + self.model.nv]

    def speeds(self, coordinate: int = 0) -> Float[np.ndarray, "N T"]:
        """Mean velocity of one position in each step, as gymnasium rewards it."""
        before = self.starts[:, None, 1 : 1 + self.model.nq]
        return np.diff(np.concatenate([before, self.positions], axis=1)[..., coordinate], axis=1) / self.seconds


Reward = Callable[[Steps], Float[np.ndarray, "N T"]]
IsUp = Callable[[Steps], Bool[np.ndarray, "N T"]]


class Bodies:
    """N bodies that are simulated side by side. One that falls, or whose time is up, begins anew.

    Beginnings, with their perturbed models, are those of the tasks' own environments.

    Args:
      tasks: names in the catalog, all of one shape; bodies are drawn from all alike.
      policy: its features and its repeat.
      reward: of each step.
      is_up: whether the episode goes on; None: it always does.
      count: N.
      starts: beginnings that are made at first and used again and again.
      episode_steps: of the environment, after which a body begins anew.
      seed: of everything drawn here.
      threads: that simulate.
    """

    def __init__(
        self, tasks: Sequence[str], policy: TrainedPolicy, reward: Reward, is_up: IsUp | None, *, count: int,
        starts: int, episode_steps: int, seed: int, threads: int,
    ):  # fmt: skip
        self._rng = np.random.default_rng(seed)
        self._features, self._repeat = policy.features, policy.repeat
        self._reward, self._is_up = reward, is_up
        self._pool: list[tuple[mujoco.MjModel, np.ndarray]] = []
        for task in tasks:
            self._begin(catalog.make(task), starts // len(tasks))
        self.actions = self.model.nu
        self.broken = 0  # simulations that were no longer finite, which count as falls
        self._rollout = rollout.Rollout(nthread=threads)
        self._data = [mujoco.MjData(self.model) for _ in range(max(1, threads))]
        self._decisions = episode_steps // self._repeat
        self._left = self._rng.integers(1, self._decisions + 1, count)
        drawn = self._rng.integers(len(self._pool), size=count)
        self._models = [self._pool[index][0] for index in drawn]
        self.states = np.stack([self._pool[index][1] for index in drawn])

    def features(self) -> Float[np.ndarray, "N F"]:
        return self._features.of(self.states, self.model.nq)

    def step(
        self, actions: Float[np.ndarray, "N A"]
    ) -> tuple[Float[np.ndarray, "N"], Bool[np.ndarray, "N"], Bool[np.ndarray, "N"], Float[np.ndarray, "N F"]]:
        """Mean reward of a step, who fell, who begins anew, and the features before that."""
        controls = self._middle + self._half * np.clip(actions, -1.0, 1.0)
        substeps = self._substeps
        plans = np.repeat(controls[:, None], self._repeat * substeps, axis=1)
        states, sensors = self._rollout.rollout(self._models, self._data, self.states, plans)
        every = slice(substeps - 1, None, substeps)
        steps = Steps(self.states, states[:, every], sensors[:, every], controls, self.model, self._seconds)
        rewards = self._reward(steps)
        self.states = steps.states[:, -1].copy()
        fallen = np.zeros(len(self.states), bool)
        if self._is_up is not None:
            up = np.cumprod(self._is_up(steps), axis=1).astype(bool)
            rewards = rewards * up
            fallen = ~up[:, -1]
        broken = ~np.isfinite(self.states).all(axis=1)
        if broken.any():
            self.broken += int(broken.sum())
            rewards[broken], fallen[broken] = 0.0, True
            self.states[broken] = self._pool[0][1]
        seen = self.features()
        self._left -= 1
        anew = fallen | (self._left <= 0)
        for index in np.flatnonzero(anew):
            self._models[index], self.states[index] = self._pool[self._rng.integers(len(self._pool))]
            self._left[index] = self._decisions
        return rewards.mean(axis=1), fallen, anew, seen

    def _begin(self, env: Any, count: int) -> None:
        models: dict[bytes, mujoco.MjModel] = {}
        for seed in range(count):
            env.reset_to(seed)
            world = plannable(env)
            model = models.setdefault(_values_of(world.model), world.model)  # with textures a model takes 10 MB
            self._pool.append((model, world.state()))
        self.model, self._seconds = self._pool[0][0], world.control_timestep
        self._substeps = round(self._seconds / self.model.opt.timestep)
        self._middle, self._half = (world.high + world.low) / 2, (world.high - world.low) / 2
        env.close()


def _values_of(model: mujoco.MjModel) -> bytes:
    """What tells the bodies of one task apart: sizes, masses, joints, motors, places of targets."""
    arrays = (
        model.geom_size, model.geom_pos, model.site_pos, model.body_mass, model.jnt_range, model.dof_damping,
        model.actuator_gear,
    )  # fmt: skip
    return b"".join(array.tobytes() for array in arrays)
