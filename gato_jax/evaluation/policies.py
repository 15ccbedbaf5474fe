"""Policies that are scored beside the agent, on the same seeds: by chance, the task's own expert, or anybody's.

Each plays one environment after the other, and may look into it. A policy of your own is a function of the observation,

    def act(observation):
        return 0 if observation["direction"] else 2

or a class with `reset(env, seed)` and `act(timestep)`, as an expert is. It is named package.module:name.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dm_env
import numpy as np

from data_pipelines.spec import TaskSpec
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import Expert, RandomPolicy
from data_pipelines.suites.outside.objects import WorldError, load_object

RANDOM, EXPERT = "random", "expert"


def check(name: str) -> None:
    """Raises `ValueError` for what names no policy."""
    if name not in (RANDOM, EXPERT) and ":" not in name:
        raise ValueError(f"policies: expected {RANDOM!r}, {EXPERT!r}, '1-NN' or package.module:policy, found {name!r}")


def why_not(name: str, task: str) -> str:
    """Why a policy does not play a task; "" where it does."""
    if name != EXPERT:
        return ""
    known = catalog.catalog().get(task)
    if known is None or known.make_expert is None:
        return "nobody demonstrates it here"
    return ""


def settings(name: str) -> dict[str, Any]:
    """What is stored with the rollouts of a policy: its name, and the digest of the file that its code is in."""
    if ":" not in name:
        return {"policy": name}
    origin = getattr(sys.modules.get(name.partition(":")[0]), "__file__", None)
    code = hashlib.sha256(Path(origin).read_bytes()).hexdigest() if origin else ""
    return {"policy": name, "code": code}


def open_policy(name: str, task: str) -> Expert:
    """The policy of that name. Runs the code that a package.module:name names.

    Raises:
      WorldError: it cannot be imported, or is no policy.
    """
    if name == RANDOM:
        return RandomPolicy()
    if name == EXPERT:
        make = catalog.get(task).make_expert
        if make is None:
            raise ValueError(f"task {task!r} has no expert")
        return make()
    policy = load_object(name, "policy")
    if inspect.isclass(policy):
        policy = policy()
    if hasattr(policy, "act") and hasattr(policy, "reset"):
        return policy
    if not callable(policy):
        raise WorldError(
            f"policy {name!r}: expected a function of the observation, or a class with reset(env, seed) and "
            f"act(timestep), found a {type(policy).__name__}"
        )
    return _OfObservation(name, policy)


class _OfObservation:
    """A function from the observation of the task's spec to its action."""

    def __init__(self, name: str, function: Callable[[Any], Any]):
        self._name, self._function = name, function

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        self._spec: TaskSpec = env.spec

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        item = self._spec.action
        action = np.asarray(self._function(timestep.observation))
        if action.shape != tuple(item.shape) or not np.issubdtype(action.dtype, np.number):
            raise WorldError(
                f"policy {self._name!r}, task {self._spec.name!r}: expected an action of shape {tuple(item.shape)} and "
                f"dtype {item.dtype}, found shape {action.shape} and dtype {action.dtype}"
            )
        return action.astype(item.dtype)
