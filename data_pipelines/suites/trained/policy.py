"""A small network as a demonstrator: from the state of a simulated body to its action, in NumPy."""

import functools
import hashlib
import pathlib
from collections.abc import Mapping

import dm_env
import numpy as np
import safetensors.numpy
from jaxtyping import Float

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.plannable import PlannableWorld, plannable
from data_pipelines.suites.trained.settings import WEIGHTS, TrainedPolicy, record_of

MOST = 5.0
"""Standard deviations from its mean at which a feature is cut."""


class PolicyExpert:
    """Acts by the mean action of a trained network, which was found by PPO (`experiments.policies`).

    Args:
      policy: which network, and what it sees.
    """

    def __init__(self, policy: TrainedPolicy):
        self._policy = policy
        self._tensors = load(policy.weights)

    def reset(self, env: Environment, seed: int) -> None:
        del seed  # nothing is drawn
        self._world: PlannableWorld = plannable(env)
        self._middle, self._half = (self._world.high + self._world.low) / 2, (self._world.high - self._world.low) / 2
        self._steps = 0

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        if self._steps % self._policy.repeat == 0:
            features = self._policy.features.of(self._world.state()[None], self._world.model.nq)
            self._action = np.clip(mean_actions(self._tensors, features)[0], -1.0, 1.0)
        self._steps += 1
        return (self._middle + self._half * self._action).astype(np.float32)


def mean_actions(tensors: Mapping[str, np.ndarray], features: Float[np.ndarray, "N F"]) -> Float[np.ndarray, "N A"]:
    """Of a network with two hidden layers of tanh; actions in about [-1, 1]."""
    hidden = np.clip((features - tensors["mean"]) / tensors["scale"], -MOST, MOST)
    for layer in (0, 1):
        hidden = np.tanh(hidden @ tensors[f"kernel_{layer}"] + tensors[f"bias_{layer}"])
    return hidden @ tensors["kernel_2"] + tensors["bias_2"]


@functools.cache
def load(name: str, directory: pathlib.Path = WEIGHTS) -> Mapping[str, np.ndarray]:
    """The tensors of a policy, as they were when its digest was written down.

    Raises:
      ValueError: the file is not the one that was trained, or no policy has this name.
    """
    record = record_of(name, directory)
    data = (directory / f"{name}.safetensors").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != record["sha256"]:
        raise ValueError(
            f"{directory / name}.safetensors: expected SHA-256 {record['sha256']}, found {digest}; install the "
            f"package again, or train it again: {record['command']}"
        )
    return safetensors.numpy.load(data)
