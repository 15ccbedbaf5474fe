"""What a demonstrator is, and the policy that scores 0."""

from typing import Protocol

import dm_env
import numpy as np

from data_pipelines.spec import Kind
from data_pipelines.suites.base.environment import Environment


class Expert(Protocol):
    """Acts in one environment. It may read the simulator's state: it demonstrates, it is not scored as an agent."""

    def reset(self, env: Environment, seed: int) -> None:
        """Prepares for the episode that was just started in `env`; `seed` drives any randomness of the expert."""

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        """The action for this timestep, inside the action spec's range.

        The action that the environment then executes may differ (action noise): an expert plans from what is observed,
        not from what it asked for.
        """


class RandomPolicy:
    """Uniform actions: the policy that a normalised score calls 0."""

    def reset(self, env: Environment, seed: int) -> None:
        self._action = env.spec.action
        self._rng = np.random.default_rng(seed)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        item = self._action
        if item.kind is Kind.DISCRETE:
            return np.asarray(self._rng.integers(item.num_values, size=item.shape), item.dtype)
        return self._rng.uniform(item.low, item.high, item.shape).astype(item.dtype)
