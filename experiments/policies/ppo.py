"""Proximal policy optimisation (Schulman et al., 2017) in JAX, for two small networks.

Actions are Gaussian around the policy's output; features and rewards are normalised by running statistics.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from data_pipelines.suites.trained.policy import MOST, mean_actions

Parameters = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Ppo:
    """Settings.

    Args:
      hidden: units of each of the two hidden layers.
      horizon: decisions of each body between two updates.
      discount: of a decision.
      trace: lambda of generalised advantages (Schulman et al., 2016).
      learning_rate: at first; it falls linearly to a tenth.
      epochs, minibatches: of an update.
      clip: of the ratio of probabilities.
      deviation: of actions at first.
      entropy: weight of the policy's entropy.
    """

    hidden: int = 64
    horizon: int = 64
    discount: float = 0.98
    trace: float = 0.95
    learning_rate: float = 5e-4
    epochs: int = 6
    minibatches: int = 8
    clip: float = 0.2
    deviation: float = 0.6
    entropy: float = 0.0


class Statistics:
    """Mean and variance of all rows so far."""

    def __init__(self, size: int):
        self.mean, self._squares, self._count = np.zeros(size), np.full(size, 1e-4), 1e-4

    def add(self, rows: Float[np.ndarray, "N F"]) -> None:
        count = len(rows)
        delta = rows.mean(axis=0) - self.mean
        total = self._count + count
        self._squares += rows.var(axis=0) * count + np.square(delta) * self._count * count / total
        self.mean = self.mean + delta * count / total
        self._count = total

    def normalised(self, rows: Float[np.ndarray, "N F"]) -> Float[np.ndarray, "N F"]:
        """As the networks see them."""
        return np.clip((rows - self.mean) / self.scale, -MOST, MOST)

    @property
    def scale(self) -> Float[np.ndarray, "F"]:
        return np.sqrt(self._squares / self._count) + 1e-3


def initial(key: jax.Array, features: int, actions: int, settings: Ppo) -> Parameters:
    """Of policy and value: orthogonal, the policy's last layer small."""

    def layers(key: jax.Array, outputs: int, last: float) -> dict[str, Array]:
        sizes = (features, settings.hidden, settings.hidden, outputs)
        tensors = {}
        for layer, of_layer in enumerate(jax.random.split(key, 3)):
            gain = last if layer == 2 else np.sqrt(2.0)
            shape = sizes[layer], sizes[layer + 1]
            tensors[f"kernel_{layer}"] = jax.nn.initializers.orthogonal(gain)(of_layer, shape)
            tensors[f"bias_{layer}"] = jnp.zeros(shape[1])
        return tensors

    of_policy, of_value = jax.random.split(key)
    return {
        "policy": layers(of_policy, actions, 0.01),
        "value": layers(of_value, 1, 1.0),
        "log_deviation": jnp.full(actions, jnp.log(settings.deviation)),
    }


def _network(tensors: dict[str, Array], inputs: Float[Array, "N F"]) -> Float[Array, "N out"]:
    for layer in (0, 1):
        inputs = jnp.tanh(inputs @ tensors[f"kernel_{layer}"] + tensors[f"bias_{layer}"][None])
    return inputs @ tensors["kernel_2"] + tensors["bias_2"][None]


def _loss(parameters: Parameters, batch: dict[str, Array], settings: Ppo) -> Float[Array, ""]:
    mean, log_deviation = _network(parameters["policy"], batch["features"]), parameters["log_deviation"][None]
    z = (batch["actions"] - mean) / jnp.exp(log_deviation)
    log_probability = -(0.5 * z**2 + log_deviation).sum(axis=-1)
    ratio = jnp.exp(log_probability - batch["log_probability"])
    advantage = batch["advantage"]
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
    clipped = jnp.clip(ratio, 1 - settings.clip, 1 + settings.clip)
    gain = jnp.minimum(ratio * advantage, clipped * advantage).mean()
    value = _network(parameters["value"], batch["features"])[:, 0]
    error = 0.5 * jnp.square(value - batch["target"]).mean()
    return error - gain - settings.entropy * log_deviation.sum()


class Learner:
    """Parameters, their optimiser, and the compiled update.

    Args:
      features, actions: of the body.
      settings: of PPO.
      seed: of the parameters and of the order of minibatches.
    """

    def __init__(self, features: int, actions: int, settings: Ppo, *, seed: int):
        self.settings = settings
        self._key, key = jax.random.split(jax.random.key(seed))
        self.parameters = initial(key, features, actions, settings)
        self._optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.scale_by_adam(eps=1e-5))
        self._state = self._optimizer.init(self.parameters)
        self._compiled = jax.jit(self._update)
        self._refresh()

    def update(self, batch: dict[str, Float[np.ndarray, "..."]], progress: float) -> None:
        """Several epochs over a batch of decisions.

        Args:
          batch: columns of decisions.
          progress: share of the training that is over; the learning rate falls with it.
        """
        rate = self.settings.learning_rate * (1.0 - 0.9 * progress)
        self._key, key = jax.random.split(self._key)
        arrays = {name: jnp.asarray(values, jnp.float32) for name, values in batch.items()}
        self.parameters, self._state = self._compiled(self.parameters, self._state, arrays, key, rate)
        self._refresh()

    def _refresh(self) -> None:
        """Copies for acting, which NumPy does faster for few bodies."""
        self.policy = {name: np.asarray(value) for name, value in self.parameters["policy"].items()}
        self._value = {name: np.asarray(value) for name, value in self.parameters["value"].items()}
        self.deviation = np.exp(np.asarray(self.parameters["log_deviation"]))

    def mean(self, features: Float[np.ndarray, "N F"], seen: Statistics) -> Float[np.ndarray, "N A"]:
        return mean_actions(self.policy | {"mean": seen.mean, "scale": seen.scale}, features)

    def value(self, features: Float[np.ndarray, "N F"], seen: Statistics) -> Float[np.ndarray, "N"]:
        return mean_actions(self._value | {"mean": seen.mean, "scale": seen.scale}, features)[:, 0]

    def _update(
        self, parameters: Parameters, state: Any, batch: dict[str, Array], key: jax.Array, rate: float
    ) -> tuple:
        size = batch["target"].shape[0]
        parts = self.settings.minibatches

        def minibatch(carry: tuple, rows: Array) -> tuple:
            parameters, state = carry
            part = {name: values[rows] for name, values in batch.items()}
            gradients = jax.grad(_loss)(parameters, part, self.settings)
            changes, state = self._optimizer.update(gradients, state, parameters)
            parameters = jax.tree.map(lambda value, change: value - rate * change, parameters, changes)
            parameters["log_deviation"] = jnp.clip(parameters["log_deviation"], -3.0, 0.5)
            return (parameters, state), None

        keys = jax.random.split(key, self.settings.epochs)
        rows = jax.vmap(lambda key: jax.random.permutation(key, size))(keys)
        rows = rows[:, : size // parts * parts].reshape(-1, size // parts)
        (parameters, state), _ = jax.lax.scan(minibatch, (parameters, state), rows)
        return parameters, state
