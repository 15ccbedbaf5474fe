"""What every adapter offers on top of `dm_env.Environment`.

An episode is named by one integer: `reset_to(seed)` is deterministic, whatever happened before, so a seed and the
executed actions are enough to replay an episode in another process.
"""

import abc
from typing import Any

import dm_env
import numpy as np
from dm_env import specs
from jaxtyping import UInt8

from data_pipelines.spec import ItemSpec, Kind, TaskSpec


class Environment(dm_env.Environment):
    """A task: nested dictionaries of arrays (text as `str`) in, one action array out.

    Subclasses set `_spec` and implement `reset_to`, `step` and `render`. Observations hold exactly the items of `spec`.

    Examples:
      >>> import dm_env
      >>> import numpy as np
      >>> from data_pipelines import Environment, ItemSpec, Kind, TaskSpec
      >>> class Walk(Environment):
      ...     _spec = TaskSpec(
      ...         "mine.walk",
      ...         observation=(ItemSpec("place", Kind.CONTINUOUS, (1,)),),
      ...         action=ItemSpec("action", Kind.DISCRETE, num_values=2, dtype="int32"),
      ...         max_episode_steps=1,
      ...     )
      ...     def reset_to(self, seed):
      ...         self._place = np.float32(seed % 3)
      ...         return dm_env.restart({"place": np.array([self._place])})
      ...     def step(self, action):
      ...         self._place += 2 * float(action) - 1
      ...         return dm_env.termination(-abs(self._place), {"place": np.array([self._place])})
      ...     def render(self, size):
      ...         return np.zeros((size, size, 3), np.uint8)
      >>> env = Walk()
      >>> env.reset_to(1).observation["place"].tolist(), env.step(np.int32(1)).observation["place"].tolist()
      ([1.0], [2.0])
    """

    _spec: TaskSpec
    _next_seed: int = 0

    @property
    def spec(self) -> TaskSpec:
        """Observations and the action of this task."""
        return self._spec

    @property
    def success(self) -> bool | None:
        """Whether the episode has reached its goal; None where the suite has no notion of success."""
        return None

    @abc.abstractmethod
    def reset_to(self, seed: int) -> dm_env.TimeStep:
        """Starts the episode that `seed` names. The same seed always starts the same episode."""

    @abc.abstractmethod
    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        """The current state as a picture. Suites on MuJoCo need an OpenGL context (see `suites.render`)."""

    def random_action(self, rng: np.random.Generator) -> np.ndarray:
        """A uniform action: that of the policy which scores 0."""
        item = self.spec.action
        if item.kind is Kind.DISCRETE:
            return np.asarray(rng.integers(item.radix or item.num_values, size=item.shape), item.dtype)
        return rng.uniform(item.low, item.high, item.shape).astype(item.dtype)

    def reset(self) -> dm_env.TimeStep:
        """Starts the next episode of this environment's own sequence of seeds: 0, 1, 2, ..."""
        seed = self._next_seed
        self._next_seed += 1
        return self.reset_to(seed)

    def observation_spec(self) -> dict[str, Any]:
        return nest({item.path: array_spec(item) for item in self.spec.observation})

    def action_spec(self) -> specs.Array:
        return array_spec(self.spec.action, name="action")


def array_spec(item: ItemSpec, *, name: str | None = None) -> specs.Array:
    """The `dm_env` spec of one item."""
    name = name or item.key
    if item.kind is Kind.TEXT:
        return specs.StringArray(item.shape, name=name)
    dtype = np.dtype(item.dtype)
    if item.kind is Kind.DISCRETE:
        return specs.BoundedArray(item.shape, dtype, 0, item.num_values - 1, name=name)
    if item.key == "action":
        return specs.BoundedArray(item.shape, dtype, item.low, item.high, name=name)
    return specs.Array(item.shape, dtype, name=name)


def nest(leaves: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """A nested dictionary from paths: {("a", "b"): 1} -> {"a": {"b": 1}}."""
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = leaf
    return tree
