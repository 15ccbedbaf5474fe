"""Trained policies in files of other libraries, as functions from a world's own observation to its own action."""

import importlib.util
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.spec import Kind
from data_pipelines.suites.outside.adapter import OutsideEnvironment
from data_pipelines.suites.outside.objects import WorldError, said

Act = Callable[[Any], Any]
_ALGORITHMS = {"dqn": "DQN", "sac": "SAC", "td3": "TD3"}
"""Module of a policy class in Stable-Baselines3 -> the algorithm that loads it; others are of PPO and A2C."""

_ONNX_DTYPES = {"float": np.float32, "double": np.float64, "int64": np.int64, "int32": np.int32, "uint8": np.uint8}


def stable_baselines(path: Path, env: OutsideEnvironment) -> Act:
    """The policy of a Stable-Baselines3 file. Loading one runs code that it holds: open only your own.

    Raises:
      WorldError: the library is not installed, the file is of another kind, or it was trained in other spaces.
    """
    _require("stable_baselines3", path, "stable-baselines3")
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
        policy = data["policy_class"]["__module__"]
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise WorldError(f"expert {str(path)!r}: expected a file that model.save of Stable-Baselines3 wrote") from error
    import stable_baselines3

    family = policy.split(".")[1] if policy.startswith("stable_baselines3.") else ""
    name = _ALGORITHMS.get(family, "PPO" if "clip_range" in data else "A2C")
    try:
        model = getattr(stable_baselines3, name).load(path, device="cpu")
    except Exception as error:  # Whatever the library raises about a file of another version.
        raise WorldError(f"expert {str(path)!r}: {name}.load raised {said(error)}") from error
    expected = getattr(env.unwrapped, "observation_space", None)
    if expected is not None and model.observation_space.shape != expected.shape:
        raise WorldError(
            f"expert {str(path)!r}: expected a policy for observations {expected}, found {model.observation_space}"
        )
    return lambda observation: model.predict(observation, deterministic=True)[0]


def onnx(path: Path, env: OutsideEnvironment) -> Act:
    """The first output of an ONNX model for a batch of one observation.

    A model with one input takes the observation as it is, or flattened where the input is a matrix; one with several
    takes them by the keys of the observation. Of a discrete action the output is the action, or a number for each.

    Raises:
      WorldError: the library is not installed, or the inputs are others.
    """
    _require("onnxruntime", path, "onnxruntime")
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # Whatever the library raises about a file that it cannot read.
        raise WorldError(f"expert {str(path)!r}: {said(error)}") from error
    inputs, item = session.get_inputs(), env.spec.action
    keys = [each.key for each in env.spec.observation]
    if len(inputs) > 1 and (missing := sorted({one.name for one in inputs} - set(keys))):
        raise WorldError(f"expert {str(path)!r}: expected inputs among {keys}, found {missing} besides")

    def act(observation: Any) -> Any:
        feeds = {one.name: _fed(observation if len(inputs) == 1 else _at(observation, one.name), one) for one in inputs}
        output = np.asarray(session.run(None, feeds)[0])[0]
        if item.kind is not Kind.DISCRETE or output.dtype.kind != "f":
            return output
        choices = (env.start + np.argmax(output)) if output.shape == (item.num_values,) else None
        if choices is None:
            raise WorldError(f"expert {str(path)!r}: expected {item.num_values} numbers, found shape {output.shape}")
        return choices

    return act


def _require(module: str, path: Path, package: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise WorldError(f"expert {str(path)!r}: needs {package}, which is not installed: pip install {package}")


def _at(observation: Any, key: str) -> Any:
    for part in key.split("/"):
        observation = observation[part] if isinstance(observation, Mapping) else observation[int(part)]
    return observation


def _fed(value: Any, declared: Any) -> np.ndarray:
    dtype = _ONNX_DTYPES.get(declared.type.removeprefix("tensor(").removesuffix(")"), np.float32)
    parts = [value]
    if isinstance(value, Mapping):  # One input for an observation of several arrays: joined, as flattening does.
        parts = [value[key] for key in sorted(value)]
    if len(parts) == 1 and len(declared.shape) == np.ndim(value) + 1:
        return np.asarray(value, dtype)[None]
    return np.concatenate([np.ravel(part) for part in parts]).astype(dtype)[None]
