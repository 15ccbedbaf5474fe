"""Text from trained weights: continuing a text, answering questions about pictures."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from data_pipelines.tokenizers import images
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.config import ModelConfig
from gato_jax.model.gato import bind
from gato_jax.weights.weights import Weights

NO_STOP = -1


@functools.partial(jax.jit, static_argnames=("config", "vocabulary", "count", "sampled", "local"))
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
    local: bool,
) -> Int[Array, "rows count"]:
    """`count` text ids after each row of `fields`; `stop` repeats once it has been drawn.

    With `local`, new places go on counting the prompt's places inside its observation (the answer to a question does,
    running text has none).
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

    def body(carry: tuple[Array, Any, Array], index: Array) -> tuple[tuple[Array, Any, Array], Array]:
        hidden, cache, ended = carry
        token = pick(hidden, index, ended)
        place = {
            "tokens": token[:, None],
            "token_type": ones * int(TokenType.TEXT),
            "observation_position": fields["observation_position"][:, -1:] + index + 1 if local else ones * 0,
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
    """

    def __init__(self, weights: Weights):
        self._weights = weights
        self._text = weights.text

    def answer(
        self,
        pictures: UInt8[np.ndarray, "questions height width 3"],
        questions: Sequence[str],
        *,
        tokens: int = 8,
        batch: int = 64,
    ) -> list[str]:
        """Greedy answers, up to `tokens` tokens or the end-of-text piece, whichever comes first.

        Pictures and questions stand in the model's sequence as in training: patches, question, answer.

        Raises:
          ValueError: not one picture per question, or a pair too long for the model's local positions.
        """
        if len(pictures) != len(questions):
            raise ValueError(f"expected one picture per question, found {len(pictures)} and {len(questions)} questions")
        encoded = [self._text.encode(question) for question in questions]
        longest = max(map(len, encoded), default=0)
        answers: list[str] = []
        for start in range(0, len(questions), batch):
            chunk = slice(start, start + batch)
            fields = self._question_fields(pictures[chunk], encoded[chunk], longest)
            drawn = self._run(_pad_rows(fields, batch), tokens, local=True, stop=self._text.eos)
            answers += [self._until_stop(row) for row in drawn[: len(encoded[chunk])]]
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
        fields = _text_fields(encoded, max(map(len, encoded), default=0))
        drawn = self._run(fields, tokens, local=False, stop=self._text.eos, temperature=temperature, seed=seed)
        return [self._until_stop(row) for row in drawn]

    def _window(self) -> int:
        groups = self._weights.experiment.data.mixture.groups.values()
        text = [group.segment_length for group in groups if any(name.startswith("text.") for name in group.tasks)]
        return max(text or [group.segment_length for group in groups])

    def _question_fields(self, pictures: np.ndarray, questions: Sequence[list[int]], longest: int) -> dict[str, Any]:
        tokens = self._weights.experiment.data.tokens
        rows, height, width, _ = pictures.shape
        interval = images.patch_intervals(height, width)
        patches, count = images.patchify(pictures, tokens.image_fit), len(interval)
        limit = self._weights.experiment.model.local_positions
        if count + longest > limit:
            raise ValueError(f"a picture of {count} patches and a question of {longest} tokens exceed {limit} places")
        fields = _text_fields(questions, longest + count, front=count)
        place = np.arange(longest + count)[None]
        # Shorter questions leave room in front of the picture, so that all rows end together.
        first = (longest - np.asarray([len(ids) for ids in questions]))[:, None]
        fields["observation_position"] = np.maximum(place - first + 1, 0).astype(np.int32)
        fields["token_type"][(place >= first) & (place < first + count)] = TokenType.PATCH
        fields["patches"] = patches
        fields["patch_slot"] = (first + np.arange(count)[None]).astype(np.int32)
        fields["patch_interval"] = np.broadcast_to(interval, (rows, count, 4)).copy()
        return fields

    def _run(
        self,
        fields: dict[str, Any],
        count: int,
        *,
        local: bool,
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
            np.int32(NO_STOP if stop is None else stop),
            config=experiment.model,
            vocabulary=experiment.data.tokens.vocabulary,
            count=count,
            sampled=temperature is not None,
            local=local,
        )
        return np.asarray(ids)

    def _until_stop(self, ids: np.ndarray) -> str:
        ended = np.flatnonzero(ids == self._text.eos)
        return self._text.decode(ids[: ended[0]] if len(ended) else ids)


def _text_fields(rows: Sequence[list[int]], length: int, *, front: int = 0) -> dict[str, Any]:
    """Ids right-aligned in `length` places, with `front` used places before them; the rest is padding in front."""
    tokens = np.zeros((len(rows), length), np.int32)
    used = np.zeros((len(rows), length), np.int32)
    for row, ids in enumerate(rows):
        tokens[row, length - len(ids) :] = ids
        used[row, length - len(ids) - front :] = 1
    return {
        "tokens": tokens,
        "token_type": used * int(TokenType.TEXT),
        "observation_position": np.zeros_like(used),
        "positions": np.maximum(np.cumsum(used, axis=1, dtype=np.int32) - 1, 0).astype(np.int32),
        "segment_ids": used,
    }


def _pad_rows(fields: dict[str, Any], rows: int) -> dict[str, Any]:
    """Repeats the last row up to `rows`, so that every batch has one compiled shape."""
    missing = rows - len(fields["tokens"])
    if missing <= 0:
        return fields
    return {name: np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) for name, array in fields.items()}
