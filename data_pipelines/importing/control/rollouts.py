"""Episodes of a user's own environment, as `import_episodes` takes them. No TensorFlow, no environment library."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Episode = dict[str, Any]
"""{"observation", "action", "reward", "terminal", "id"}; see `import_episodes`."""


def record_gymnasium(
    env: Any, policy: Callable[[Any], Any], *, episodes: int, seed: int = 0, max_steps: int | None = None
) -> Iterator[Episode]:
    """Runs a policy in a gymnasium environment.

    Args:
      env: with gymnasium's `reset(seed=...)` and `step(action)`. Its observation may be an array, a number, a text, or
        a dictionary of these.
      policy: from an observation to an action that `env.step` takes.
      episodes: how many; episode i starts with seed + i.
      seed: of the first episode.
      max_steps: cut episodes here, as a time limit would; None leaves that to the environment.

    Yields:
      Episodes with N + 1 observations and N actions.

    Examples:
      >>> import gymnasium
      >>> from data_pipelines import record_gymnasium
      >>> env = gymnasium.make("CartPole-v1")
      >>> (episode,) = record_gymnasium(env, lambda observation: 0, episodes=1, max_steps=5)
      >>> episode["observation"].shape, episode["action"].shape
      ((6, 4), (5,))
    """
    for number in range(episodes):
        observation, _ = env.reset(seed=seed + number)
        observations, actions, rewards = [_copied(observation)], list[Any](), list[float]()
        terminated = truncated = False
        while not (terminated or truncated) and (max_steps is None or len(actions) < max_steps):
            action = policy(observation)
            observation, reward, terminated, truncated, _ = env.step(action)
            observations.append(_copied(observation))
            actions.append(np.array(action))
            rewards.append(float(reward))
        yield _episode(seed + number, observations, actions, rewards, bool(terminated))


def record_dm_env(
    env: Any, policy: Callable[[Any], Any], *, episodes: int, max_steps: int | None = None
) -> Iterator[Episode]:
    """Runs a policy in a `dm_env.Environment`.

    Args:
      env: the environment; it seeds itself.
      policy: from a `dm_env.TimeStep` to an action.
      episodes: how many.
      max_steps: as in `record_gymnasium`.

    Yields:
      Episodes with N + 1 observations and N actions; one whose last discount is 0 was ended by the environment.
    """
    for number in range(episodes):
        timestep = env.reset()
        observations, actions, rewards = [_copied(timestep.observation)], list[Any](), list[float]()
        while not timestep.last() and (max_steps is None or len(actions) < max_steps):
            action = policy(timestep)
            timestep = env.step(action)
            observations.append(_copied(timestep.observation))
            actions.append(np.array(action))
            rewards.append(float(timestep.reward or 0.0))
        yield _episode(number, observations, actions, rewards, bool(timestep.last() and timestep.discount == 0))


def _episode(identity: int, observations: list, actions: list, rewards: list, terminal: bool) -> Episode:
    return {
        "id": str(identity),
        "observation": _stacked(observations),
        "action": np.stack(actions) if actions else np.zeros((0,)),
        "reward": np.asarray(rewards, np.float32),
        "terminal": terminal,
    }


def _stacked(observations: list) -> Any:
    first = observations[0]
    if isinstance(first, Mapping):
        return {key: _stacked([observation[key] for observation in observations]) for key in first}
    return np.stack(observations)


def _copied(observation: Any) -> Any:
    """Environments may write the next observation into the same array."""
    if isinstance(observation, Mapping):
        return {key: _copied(value) for key, value in observation.items()}
    return np.array(observation)
