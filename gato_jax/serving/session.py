"""One connection's episodes: messages become observations, actions become replies. Knows nothing of sockets."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_pipelines.errors import TimestepError
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from gato_jax.agent.agent import Agent
from gato_jax.agent.observations import nested

RESERVED = ("reset", "task", "seed")
"""Keys of a message that are no observation."""


SEEDS = 2**32
"""Seeds lie below."""


class RequestError(ValueError):
    """What a client asked for cannot be done; the message says what was expected."""


def described(item: ItemSpec) -> dict[str, Any]:
    """An item of a spec for a client: kind, shape and dtype, and the legal values of an action."""
    legal: dict[str, Any] = {}
    if item.kind is Kind.CONTINUOUS:
        legal = {"low": item.low, "high": item.high}
    elif item.kind is Kind.DISCRETE:
        legal = {"values": list(item.radix) or item.num_values}
    return {"kind": item.kind.value, "shape": list(item.shape), "dtype": item.dtype, **legal}


def task_of(spec: TaskSpec) -> dict[str, Any]:
    """What a client needs to know of a task."""
    observation = {item.key: described(item) for item in spec.observation}
    for item in observation.values():  # Observations have no legal range; the tokenizer takes what is finite.
        item.pop("low", None)
        item.pop("high", None)
    return {"task": spec.name, "observation": observation, "action": described(spec.action)}


class Session:
    """Episodes of one client, one after the other, each begun by `reset`.

    Args:
      agent: of this session alone; sessions share weights and what is compiled, and no state.
      task: of the first episode; None = the client names one.
      prompts: as in `Agent.reset`.
      seed: of the first episode; each further one that the client gives no seed takes the next.
    """

    def __init__(self, agent: Agent, *, task: str | None = None, prompts: str = "auto", seed: int = 0):
        self._agent, self._task, self._prompts = agent, task, prompts
        self._seed, self._tasks = seed, tuple(agent.tasks)
        self._spec: TaskSpec | None = None
        self.episode = -1
        self.step = 0

    def reply(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Actions for an observation, [1, ...] as "actions"; of a message without one, what the new episode is.

        The keys of an observation are those of the task's spec, nested or as paths ("arm/joints"). `reset` (true)
        begins a new episode with this very observation, `task` and `seed` say which; the first message begins one
        anyhow.

        Raises:
          RequestError: unknown keys, shapes or tasks, with what was expected. The episode stays where it is.
          TimestepError: values that no observation has, or no finite scores. The episode is over.
        """
        begin = self._flag(message)
        observation = {key: value for key, value in message.items() if key not in RESERVED}
        named = {key: message[key] for key in ("task", "seed") if key in message}
        if named and not begin and self._spec is not None:
            raise RequestError(f"{' and '.join(named)}: allowed with reset alone, as an episode is going on")
        if begin or self._spec is None:
            self._begin(named)
        assert self._spec is not None
        if not observation:
            return {**task_of(self._spec), "seed": self._seed, "episode": self.episode}
        tree = self._checked(observation, self._spec)
        start = time.perf_counter()
        try:
            action = self._agent.act(tree)
        except TimestepError as error:
            self._spec = None
            raise TimestepError(f"{error}; the episode is over, send reset") from error
        self.step += 1
        milliseconds = 1000 * (time.perf_counter() - start)
        return {"actions": np.asarray(action)[None], "server_timing": {"infer_ms": milliseconds}}

    def _flag(self, message: Mapping[str, Any]) -> bool:
        begin = message.get("reset", False)
        if not isinstance(begin, (bool, np.bool_)):
            raise RequestError(f"reset: expected true or false, found {begin!r:.80}")
        return bool(begin)

    def _begin(self, named: Mapping[str, Any]) -> None:
        task, seed = named.get("task", self._task), named.get("seed", (self._seed + (self.episode >= 0)) % SEEDS)
        if task is None:
            raise RequestError(f"task: expected one of {list(self._tasks)}, found none in the first message")
        if not isinstance(task, str) or task not in self._tasks:
            raise RequestError(f"task: expected one of {list(self._tasks)}, found {task!r:.80}")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < SEEDS:
            raise RequestError(f"seed: expected an integer from 0 to 2**32 - 1, found {seed!r:.80}")
        self._spec = self._agent.reset(task, seeds=[int(seed)], prompts=self._prompts)
        self._task, self._seed = task, int(seed)
        self.episode += 1
        self.step = 0

    def _checked(self, observation: Mapping[str, Any], spec: TaskSpec) -> dict[str, Any]:
        """The observation as a tree. Values are checked where they become tokens, which may end an episode."""
        given = _leaves(observation)
        expected = {item.key: item for item in spec.observation}
        if different := expected.keys() ^ given.keys():
            missing, unknown = sorted(different & expected.keys()), sorted(different & given.keys())
            raise RequestError(
                f"observation of {spec.name}: expected the keys {sorted(expected)}"
                + (f", missing {missing}" if missing else "")
                + (f", unknown {unknown!s:.200}" if unknown else "")
            )
        for key, item in expected.items():
            if item.kind is Kind.TEXT:
                if not isinstance(given[key], str):
                    raise RequestError(f"key {key!r}: expected text, found {type(given[key]).__name__}")
            else:
                given[key] = _array(key, given[key], item)
        return nested(given)


def _leaves(tree: Mapping[str, Any], parents: str = "") -> dict[str, Any]:
    """Paths of a tree, and what stands there."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if not isinstance(key, str):
            raise RequestError(f"expected text as keys of observations, found {key!r:.80}")
        path = f"{parents}{key}"
        leaves |= _leaves(value, f"{path}/") if isinstance(value, Mapping) else {path: value}
    return leaves


def _array(key: str, value: Any, item: ItemSpec) -> np.ndarray:
    """The value in the item's dtype. Floats become floats of another width, integers integers that hold them."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise RequestError(f"key {key!r}: expected an array of shape {item.shape}, found uneven lists") from error
    dtype = np.dtype(item.dtype)
    if array.shape != item.shape:
        raise RequestError(f"key {key!r}: expected shape {item.shape}, found {array.shape}")
    if np.can_cast(array.dtype, dtype, "same_kind"):
        return array.astype(dtype)
    exact = array.dtype.kind in "iu" and dtype.kind in "iu" and bool((array.astype(dtype) == array).all())
    if exact or (array.dtype.kind in "iu" and dtype.kind == "f"):
        return array.astype(dtype)
    raise RequestError(f"key {key!r}: expected {item.dtype}, found {array.dtype}")
