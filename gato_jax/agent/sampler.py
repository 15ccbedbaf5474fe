"""Choosing action tokens with a key-value cache: one compiled call per environment step for a whole batch.

The call reads the new places (observation and separator, and after a refill the timesteps that are kept), then decodes
the action one token at a time among the legal ids of each place. Environments act in lockstep, so all rows of the cache
are equally long. While the window holds the whole history the cache equals recomputation; when it is full, whole oldest
timesteps are dropped and what is left is read in again from position 0, so the model never sees a sequence of a kind
that training did not show it. A prompt stays: in training, too, it stands before any part of an episode.

Dimensions: N environments, n new places, A action places.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32

from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.config import Decode, ModelConfig
from gato_jax.model.gato import INPUTS, PATCH_INPUTS, Cache, bind

Fields = Mapping[str, Any]
"""The model's input fields for some places of every environment: [N, n], patches [N, p, ...]."""


class Choice(NamedTuple):
    """How the compiled call picks tokens: legal ids [low, high) of each place, its local position, and randomness."""

    low: Int[Array, " actions"]
    high: Int[Array, " actions"]
    local: Int[Array, " actions"]
    seeds: Int[Array, " envs"]
    step: Int[Array, ""]
    temperature: Float[Array, ""]


@functools.partial(jax.jit, static_argnames=("config", "vocabulary", "length", "decode", "keep"), donate_argnums=1)
def _act(
    parameters: Any,
    cache: Cache | None,
    fields: Mapping[str, Array],
    choice: Choice,
    *,
    config: ModelConfig,
    vocabulary: Vocabulary,
    length: int,
    decode: Decode,
    keep: bool,
) -> tuple[Int32[Array, "envs actions"], Cache | None]:
    """Appends `fields` to the cache (None: a new one of `length` places) and decodes one action per row.

    With `keep`, the last action token is read in too and the cache is returned for the next step. Rows whose logits
    are not finite have no action: -1 throughout. Rows do not see each other, so the others are as they would be.
    """
    model = bind(config, vocabulary, parameters)
    rows = fields["tokens"].shape[0]
    cache = model.init_cache(rows, length) if cache is None else cache
    hidden, cache = model.extend(fields, cache)
    position = fields["positions"][:, -1] + 1
    keys = _row_keys(choice.seeds, choice.step)

    def pick(hidden: Array, place: Array) -> tuple[Array, Array]:
        ids = jnp.arange(vocabulary.padded_size)[None]
        legal = (ids >= choice.low[place]) & (ids < choice.high[place])
        logits = model.logits(hidden)
        finite = (jnp.isfinite(logits) | ~legal).all(axis=-1)
        logits = jnp.where(legal, logits, -jnp.inf)
        if decode is Decode.ARGMAX:
            return jnp.argmax(logits, axis=-1).astype(jnp.int32), finite
        if decode is Decode.MEAN:
            mean = (jax.nn.softmax(logits.astype(jnp.float32)) * ids).sum(axis=-1)
            return jnp.round(mean).astype(jnp.int32), finite
        place_keys = jax.vmap(lambda key: jax.random.fold_in(key, place))(keys)
        return jax.vmap(jax.random.categorical)(place_keys, logits / choice.temperature).astype(jnp.int32), finite

    def body(carry: tuple[Array, Cache], place: Array) -> tuple[tuple[Array, Cache], tuple[Array, Array]]:
        hidden, cache = carry
        token, finite = pick(hidden, place)
        hidden, cache = model.extend(_action_fields(token, position + place, choice.local[place]), cache)
        return (hidden[:, 0], cache), (token, finite)

    # Nobody needs what follows the last token, unless the history goes on from there.
    count = choice.low.shape[0]
    places = jnp.arange(count if keep else count - 1, dtype=jnp.int32)
    (last, cache), (tokens, finite) = jax.lax.scan(body, (hidden[:, -1], cache), places)
    if not keep:
        token, right = pick(last, jnp.int32(count - 1))
        tokens, finite = jnp.concatenate([tokens, token[None]]), jnp.concatenate([finite, right[None]])
    return jnp.where(finite.all(axis=0), tokens, -1).T, cache if keep else None


def _row_keys(seeds: Array, step: Array) -> Array:
    """A key for each row that depends on its seed and the step only, so a batch acts as its rows do alone."""
    return jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), step))(seeds)


def _action_fields(
    token: Int[Array, " envs"], position: Int[Array, " envs"], local: Int[Array, ""]
) -> dict[str, Array]:
    one = jnp.ones_like(token)[:, None]
    return {
        "tokens": token[:, None],
        "token_type": one * int(TokenType.ACTION),
        "observation_position": one * local,
        "positions": position[:, None],
        "segment_ids": one,
    }


class ActionSampler:
    """Turns tokenised observations of N environments into action tokens, remembering what the window holds.

    Args:
      config, vocabulary, parameters: the model.
      layout: the task's timestep.
      window: most timesteps in view, the current one included.
      drop: timesteps of the episode dropped when the window is full; 0 = a quarter of the window, at least one.
      decode, temperature: how tokens are chosen.
      prompt: of episodes for which `reset` is given none.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocabulary: Vocabulary,
        parameters: Any,
        layout: TimestepLayout,
        *,
        window: int = 1,
        drop: int = 0,
        decode: Decode = Decode.ARGMAX,
        temperature: float = 1.0,
        prompt: Sequence[Fields] = (),
    ):
        if window < 1:
            raise ValueError(f"task {layout.spec.name!r}: the window must hold at least one timestep, found {window}")
        self.layout, self.window = layout, window
        self.drop = min(window, drop or max(1, window // 4))
        self._static = {"config": config, "vocabulary": vocabulary, "length": window * layout.length, "decode": decode}
        self._parameters = parameters
        self._temperature = np.float32(temperature)
        self._prompt = list(prompt)
        self.reset(np.zeros(0, np.uint32))

    def reset(self, seeds: Int[np.ndarray, " envs"], prompt: Sequence[Fields] | None = None) -> None:
        """Starts new episodes. Row i samples with randomness of `seeds[i]` alone.

        Args:
          seeds: one for each environment.
          prompt: timesteps that stand before the episodes, oldest first: `Fields` as `timestep_fields` makes them, of
            each environment ([N, length]) or of one for all ([1, length]). At least one timestep of the window must be
            left. None = the sampler's own.
        """
        prompt = self._prompt if prompt is None else prompt
        if len(prompt) >= self.window:
            raise ValueError(
                f"task {self.layout.spec.name!r}: a prompt of {len(prompt)} timesteps leaves no room in a window of "
                f"{self.window}"
            )
        self._prompted = len(prompt)
        self._seeds = np.asarray(seeds, np.uint32)
        self._step = 0
        self._cache: Cache | None = None
        self._history = [_repeat(fields, len(self._seeds)) for fields in prompt]

    def __call__(self, observation: Fields) -> Int32[np.ndarray, "envs actions"]:
        """Action ids for observations as `TimestepTokenizer.encode_observation` gives them, [N, n].

        A row is -1 where the model's logits are not finite.
        """
        if len(observation["tokens"]) != len(self._seeds):
            raise ValueError(
                f"expected {len(self._seeds)} observations, one per seed, found {len(observation['tokens'])}"
            )
        if len(self._history) >= self.window:
            dropped = min(self.drop, self.window - self._prompted)
            self._history = self._history[: self._prompted] + self._history[self._prompted + dropped :]
            self._cache = None
        keep = self.window > 1
        if self._cache is None:
            fields = concatenate([*self._history, observation])
        else:
            fields = concatenate([observation], start=len(self._history) * self.layout.length)
        # NumPy in, so that one call carries everything to the device.
        layout = self.layout
        parts: Any = (
            layout.action_low,
            layout.action_high,
            layout.action_position,
            self._seeds,
            np.int32(self._step),
            self._temperature,
        )
        choice = Choice(*parts)
        tokens, self._cache = _act(self._parameters, self._cache, fields, choice, keep=keep, **self._static)
        tokens = np.array(tokens)
        if keep:
            self._history.append(timestep_fields(observation, np.maximum(tokens, layout.action_low), layout))
        self._step += 1
        return tokens


def timestep_fields(
    observation: Fields, action: Int[np.ndarray, "envs actions"], layout: TimestepLayout
) -> dict[str, np.ndarray]:
    """One whole timestep from the observation's fields and the action's ids, or the first of them."""
    ones = np.ones_like(action)
    added = {
        "tokens": action,
        "token_type": ones * int(TokenType.ACTION),
        "observation_position": ones * layout.action_position[: action.shape[1]],
        "segment_ids": ones,
    }
    patches = {name: observation[name] for name in PATCH_INPUTS if name in observation}
    return {name: np.concatenate([observation[name], new], axis=1) for name, new in added.items()} | patches


def concatenate(parts: Sequence[Fields], *, start: int = 0) -> dict[str, np.ndarray]:
    """Joins pieces of a sequence into the model's inputs: positions count from `start`, patch slots are shifted."""
    result = {
        name: np.concatenate([part[name] for part in parts], axis=1).astype(np.int32)
        for name in INPUTS
        if name != "positions"
    }
    rows, count = result["tokens"].shape
    result["positions"] = np.broadcast_to(np.arange(start, start + count, dtype=np.int32), (rows, count))
    if parts[0].get("patches") is None or sum(part["patches"].shape[1] for part in parts) == 0:
        return result
    offsets = np.cumsum([0, *(part["tokens"].shape[1] for part in parts[:-1])])
    result["patches"] = np.concatenate([part["patches"] for part in parts], axis=1)
    result["patch_interval"] = np.concatenate([part["patch_interval"] for part in parts], axis=1)
    slots = [part["patch_slot"] + offset for part, offset in zip(parts, offsets, strict=True)]
    result["patch_slot"] = np.concatenate(slots, axis=1).astype(np.int32)
    return result


def _repeat(fields: Fields, rows: int) -> dict[str, np.ndarray]:
    """Fields of one environment for all; of several as they are."""
    return {name: np.repeat(array, rows, axis=0) if len(array) == 1 else array for name, array in fields.items()}
