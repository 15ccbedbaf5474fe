"""Demonstrators from outside: a callable, a file of Stable-Baselines3 or ONNX, or chance."""

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dm_env
import numpy as np

from data_pipelines.suites.base.expert import Expert, RandomPolicy
from data_pipelines.suites.outside import model_files
from data_pipelines.suites.outside.adapter import OutsideEnvironment
from data_pipelines.suites.outside.objects import WorldError, load_object, said

RANDOM = "random"
FILES = {".zip": model_files.stable_baselines, ".onnx": model_files.onnx}
"""Ending of a file -> what makes a function from the world's observation to its action of it."""


def check_reference(reference: str) -> None:
    """Raises `WorldError` where a text names no expert: before anything is imported."""
    if _is_file(reference):
        if not Path(reference).is_file():
            raise WorldError(f"expert {reference!r}: no such file")
    elif reference != RANDOM and ":" not in reference:
        raise WorldError(
            f"expert: expected package.module:callable, a file of {' or '.join(FILES)}, or {RANDOM!r}, found "
            f"{reference!r}"
        )


def describe(reference: str) -> dict[str, str]:
    """What stands for an expert in the settings of a recording: its name, and the digest of its file."""
    if not _is_file(reference):
        return {"expert": reference}
    return {"expert": Path(reference).name, "sha256": hashlib.sha256(Path(reference).read_bytes()).hexdigest()}


def open_expert(reference: str, env: OutsideEnvironment) -> Expert:
    """The expert for an environment. Runs the code that the reference names.

    Args:
      reference: "random"; a file that ends in .zip (Stable-Baselines3) or .onnx; or "package.module:callable", which is
        a function from the world's own observation to its own action, or a class with `reset(env, seed)` and
        `act(timestep)` (`Expert`), or with `__call__(observation)`.

    Raises:
      WorldError: it cannot be imported, made, or called in that way.
    """
    check_reference(reference)
    if reference == RANDOM:
        return RandomPolicy()
    if _is_file(reference):
        return FunctionExpert(FILES[Path(reference).suffix](Path(reference), env))
    expert = load_object(reference, "expert")
    if inspect.isclass(expert):
        try:
            expert = expert()
        except Exception as error:  # Whatever a stranger's class raises.
            raise WorldError(f"expert {reference!r}: calling it without arguments raised {said(error)}") from error
    if hasattr(expert, "act") and hasattr(expert, "reset"):
        return OwnExpert(expert)
    if not callable(expert):
        raise WorldError(
            f"expert {reference!r}: expected a function of the observation, or a class with reset(env, seed) and "
            f"act(timestep), found a {type(expert).__name__}"
        )
    return FunctionExpert(expert)


def _is_file(reference: str) -> bool:
    return Path(reference).suffix in FILES


class FunctionExpert:
    """A function from the world's own observation to an action of the world's own."""

    def __init__(self, function: Callable[[Any], Any]):
        self._function = function

    def reset(self, env: Any, seed: int) -> None:
        del seed
        self._env: OutsideEnvironment = env

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        return self._env.action_of(self._function(self._env.seen))


class OwnExpert:
    """An `Expert` that somebody wrote: it is given the environment as its factory made it, and acts in that."""

    def __init__(self, expert: Any):
        self._expert = expert

    def reset(self, env: Any, seed: int) -> None:
        self._env: OutsideEnvironment = env
        self._expert.reset(env.unwrapped, seed)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        return self._env.action_of(self._expert.act(timestep))
