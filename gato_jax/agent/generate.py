"""Text from trained weights: continuing a text, answering questions about pictures."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from data_pipelines.tokenizers import images
from data_pipelines.tokenizers.image_text import ImageTextTokenizer
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.config import ModelConfig
from gato_jax.model.gato import INPUTS, bind
from gato_jax.weights.weights import Weights


@functools.partial(jax.jit, static_argnames=("config", "vocabulary", "count", "sampled", "local_positions"))
def _generate(
    parameters: Any,
    fields: Mapping[str, Array],
    key: Array,
    temperature: Float[Array, ""],
    stop: Int[Array, ""],
    *,
    config: ModelConfig,
    vocabulary: Vocabulary,
    count: int,
    sampled: bool,
    local_positions: int,
) -> Int[Array, "rows count"]:
    """`count` text ids after each row of `fields`; `stop` repeats once it has been drawn.

    Where the last place has a local position (that of a question has, of running text none), new places count on from
    it to the end of the table of `local_positions`, and have none behind it.
    """
    model = bind(config, vocabulary, parameters)
    rows, length = fields["tokens"].shape
    hidden, cache = model.extend(fields, model.init_cache(rows, length + count))
    ids = jnp.arange(vocabulary.padded_size)[None]
    ones = jnp.ones((rows, 1), jnp.int32)

    def pick(hidden: Array, index: Array, ended: Array) -> Array:
        logits = jnp.where(ids < vocabulary.text_size, model.logits(hidden), -jnp.inf)
        if sampled:
            drawn = jax.random.categorical(jax.random.fold_in(key, index), logits / temperature)
        else:
            drawn = jnp.argmax(logits, axis=-1)
        return jnp.where(ended, stop, drawn).astype(jnp.int32)

    last = fields["observation_position"][:, -1:]

    def body(carry: tuple[Array, Any, Array], index: Array) -> tuple[tuple[Array, Any, Array], Array]:
        hidden, cache, ended = carry
        token = pick(hidden, index, ended)
        local = last + index + 1
        place = {
            "tokens": token[:, None],
            "token_type": ones * int(TokenType.TEXT),
            "observation_position": jnp.where((last > 0) & (local <= local_positions), local, 0),
            "positions": fields["positions"][:, -1:] + index + 1,
            "segment_ids": ones,
        }
        hidden, cache = model.extend(place, cache)
        return (hidden[:, 0], cache, ended | (token == stop)), token

    carry = hidden[:, -1], cache, jnp.zeros(rows, bool)
    return jax.lax.scan(body, carry, jnp.arange(count, dtype=jnp.int32))[1].T


class Generator:
    """Writes text with one set of weights.

    Args:
      weights: with their text model.

    Examples:
      >>> import gato_jax
      >>> generator = gato_jax.Generator(gato_jax.load_weights("run", data="data"))
      >>> (continuation,) = generator.continue_text(["Return the"], tokens=4)
      >>> type(continuation).__name__
      'str'
    """

    def __init__(self, weights: Weights):
        self._weights = weights
        self._text = weights.text
        self._pairs = ImageTextTokenizer(weights.experiment.data.tokens, self._text)

    def answer(
        self,
        pictures: UInt8[np.ndarray, "questions height width 3"],
        questions: Sequence[str],
        *,
        tokens: int = 8,
        batch: int = 64,
        temperature: float | None = None,
        seed: int = 0,
    ) -> list[str]:
        """Answers, up to `tokens` tokens or the end-of-text piece, whichever comes first. `temperature=None` is greedy.

        `batch` questions at most are asked at a time; one question costs one row. A caption answers "". Pictures and
        questions stand in the model's sequence as in training: patches, question, answer.

        Raises:
          ValueError: not one picture per question, or a pair too long for the model's local positions.
        """
        if len(pictures) != len(questions):
            raise ValueError(f"expected one picture per question, found {len(pictures)} and {len(questions)} questions")
        # One compiled shape for many questions, and a small one for a few.
        batch = min(batch, 1 << max(len(questions) - 1, 0).bit_length())
        longest = max((len(self._text.encode(question)) for question in questions), default=0)
        answers: list[str] = []
        for start in range(0, len(questions), batch):
            chunk = questions[start : start + batch]
            fields = self._question_fields(pictures[start : start + batch], chunk, longest)
            fields = _pad_rows(fields, batch)
            drawn = self._run(fields, tokens, stop=self._text.eos, temperature=temperature, seed=seed + start)
            answers += [self._until_stop(row) for row in drawn[: len(chunk)]]
        return answers

    def continue_text(
        self, texts: Sequence[str], *, tokens: int = 48, temperature: float | None = 0.7, seed: int = 0
    ) -> list[str]:
        """Continuations of texts, without the texts. `temperature=None` is greedy.

        Of a text longer than the training window the end is read.
        """
        window = self._window()
        if tokens >= window:
            raise ValueError(f"a continuation of {tokens} tokens does not fit the window of {window} the model knows")
        encoded = [self._text.encode(text)[-(window - tokens) :] for text in texts]
        for text, ids in zip(texts, encoded, strict=True):
            if not ids:
                raise ValueError(f"expected some text to continue, found {text!r}")
        fields = _end_together([_text_fields(ids) for ids in encoded], max(map(len, encoded), default=0))
        drawn = self._run(fields, tokens, stop=self._text.eos, temperature=temperature, seed=seed)
        return [self._until_stop(row) for row in drawn]

    def _window(self) -> int:
        groups = self._weights.experiment.data.mixture.groups.values()
        text = [group.window_length for group in groups if any(name.startswith("text.") for name in group.tasks)]
        return max(text or [group.window_length for group in groups])

    def _question_fields(self, pictures: np.ndarray, questions: Sequence[str], longest: int) -> dict[str, Any]:
        count = math.prod(images.grid(*pictures.shape[1:3]))
        limit = self._weights.experiment.model.local_positions
        if count + longest > limit:
            raise ValueError(f"a picture of {count} patches and a question of {longest} tokens exceed {limit} places")
        pairs = zip(pictures, questions, strict=True)
        return _end_together([self._pairs.encode_prefix(*pair) for pair in pairs], count + longest)

    def _run(
        self,
        fields: dict[str, Any],
        count: int,
        *,
        stop: int,
        temperature: float | None = None,
        seed: int = 0,
    ) -> np.ndarray:
        experiment = self._weights.experiment
        ids = _generate(
            self._weights.parameters,
            fields,
            jax.random.key(seed),
            np.float32(temperature or 1.0),
            np.int32(stop),
            config=experiment.model,
            vocabulary=experiment.data.tokens.vocabulary,
            count=count,
            sampled=temperature is not None,
            local_positions=experiment.data.tokens.max_observation_tokens,
        )
        return np.asarray(ids)

    def _until_stop(self, ids: np.ndarray) -> str:
        ended = np.flatnonzero(ids == self._text.eos)
        return self._text.decode(ids[: ended[0]] if len(ended) else ids)


def _text_fields(ids: Sequence[int]) -> dict[str, np.ndarray]:
    """Running text as the model sees it, without local positions."""
    ones = np.ones(len(ids), np.int32)
    return {
        "tokens": np.asarray(ids, np.int32),
        "token_type": ones * int(TokenType.TEXT),
        "observation_position": ones * 0,
        "positions": np.arange(len(ids), dtype=np.int32),
        "segment_ids": ones,
    }


def _end_together(rows: Sequence[Mapping[str, np.ndarray]], length: int) -> dict[str, np.ndarray]:
    """Rows of `length` places, with padding in front of the shorter ones, so that all go on from their last place."""
    missing = [length - len(row["tokens"]) for row in rows]
    fields = {
        name: np.stack([np.pad(row[name], (front, 0)) for row, front in zip(rows, missing, strict=True)])
        for name in INPUTS
    }
    if "patches" not in rows[0]:
        return fields
    slots = [row["patch_slot"] + np.int32(front) for row, front in zip(rows, missing, strict=True)]
    return {
        **fields,
        "patches": np.stack([row["patches"] for row in rows]),
        "patch_slot": np.stack(slots),
        "patch_interval": np.stack([row["patch_interval"] for row in rows]),
    }


def _pad_rows(fields: dict[str, Any], rows: int) -> dict[str, Any]:
    """Repeats the last row up to `rows`, so that every batch has one compiled shape."""
    missing = rows - len(fields["tokens"])
    if missing <= 0:
        return fields
    return {name: np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) for name, array in fields.items()}
