"""What a demonstrator is, and the policy that scores 0."""

from typing import Protocol

import dm_env
import numpy as np

from data_pipelines.suites.base.environment import Environment


class Expert(Protocol):
    """Acts in one environment. It may read the simulator's state: it demonstrates, it is not scored as an agent.

    Examples:
      >>> import dm_env
      >>> import numpy as np
      >>> from data_pipelines import Expert
      >>> class Homewards:
      ...     def reset(self, env, seed):
      ...         pass
      ...     def act(self, timestep):
      ...         return np.int32(timestep.observation["place"][0] < 0)
      >>> expert: Expert = Homewards()
      >>> int(expert.act(dm_env.restart({"place": np.array([1.0])})))
      0
    """

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
        self._env = env
        self._rng = np.random.default_rng(seed)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        return self._env.random_action(self._rng)
