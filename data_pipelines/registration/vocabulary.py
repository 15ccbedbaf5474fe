"""The ids of rows, and rows as a person reads them: one line for each timestep, and for each stretch of text."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf
from jaxtyping import Int

from data_pipelines.schema import RowGroup
from data_pipelines.sequences.windows import PLACES
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.reading import Meaning, Reader, timestep_meanings
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.vocabulary import BINS, TokenType

_FIELDS = ("tokens", "targets", "token_type", "positions")
"""What is read of a row, each [K, S]."""


class RowVocabulary(seqio.Vocabulary):
    """Ids of text, discrete and continuous values. Two are equal where rows of one can be mixed with rows of the other.

    `decode` takes
      - a row of a task {"places", "task_id"} or a training example {"tokens", "targets", "token_type", "positions",
        "task_id"}, which it reads by the layout of the row's task;
      - the feature `places` [K, 6, S] alone, which it reads by the layouts that fit it, if they agree, else by the bins
        of values;
      - ids [n] alone: text, and the bins of values. Discrete values that share the ids of text look like text there.

    Args:
      tokens: how ids were made.
      text: the SentencePiece model, where any task has text.
      group: shape of the rows.
      task_names: name of each task_id.
      layouts: task -> the layout of its timesteps; None = text and pictures.
    """

    def __init__(
        self,
        tokens: TokenConfig,
        text: TextTokenizer | None,
        *,
        group: RowGroup,
        task_names: Sequence[str],
        layouts: Mapping[str, TimestepLayout | None],
    ):
        super().__init__()
        self.tokens, self.text, self.group, self.task_names = tokens, text, group, tuple(task_names)
        self._layouts = dict(layouts)
        self._reader = Reader(tokens, text)

    @property
    def _base_vocab_size(self) -> int:
        return self.tokens.vocabulary.size

    @property
    def bos_id(self) -> None:
        return None

    @property
    def eos_id(self) -> None:
        """None: a row goes on behind the end of a document."""
        return None

    @property
    def unk_id(self) -> None:
        return None

    def _encode(self, s: str) -> list[int]:
        return self._text().encode(s)

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor:
        return TfTextTokenizer(self._text()).encode(tf.reshape(s, [1])).flat_values

    def _text(self) -> TextTokenizer:
        if self.text is None:
            raise ValueError(f"row group of {list(self._layouts)}: no task has text, so there is nothing to encode it")
        return self.text

    def decode(self, ids: Any) -> str:
        """A row, its places, or ids, as text; see the class. Raises `ValueError` for another shape."""
        return self._decode(ids)

    def _decode(self, ids: Any) -> str:
        if isinstance(ids, Mapping):
            return self._row(ids)
        array = np.asarray(ids)
        if array.ndim == 1:
            return self._ids(array)
        if array.ndim == 3 and array.shape[1] == len(PLACES):
            return self._places(_fields_of(array))
        raise ValueError(f"decode: expected ids [n], places [K, {len(PLACES)}, S] or a row, found {array.shape}")

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(self._decode, [ids], tf.string, stateful=False), [])

    def _row(self, row: Mapping[str, Any]) -> str:
        number = np.asarray(row["task_id"]).flat[0]
        name = self.task_names[number]
        if "places" in row:
            fields = _fields_of(np.asarray(row["places"]))
        else:
            shape = (self.group.windows, self.group.window_length)
            fields = {name: np.asarray(row[name]).reshape(shape) for name in _FIELDS}
        if name not in self._layouts:
            raise ValueError(f"decode: expected a row of {list(self._layouts)}, found one of {name!r}")
        return f"{name}\n{self._lines(fields, self._layouts[name])}"

    def _places(self, fields: Mapping[str, np.ndarray]) -> str:
        fitting = [layout for layout in self._layouts.values() if _fits(layout, fields)]
        texts = {self._lines(fields, layout) for layout in fitting}
        return texts.pop() if len(texts) == 1 else self._lines(fields, None)

    def _lines(self, fields: Mapping[str, np.ndarray], layout: TimestepLayout | None) -> str:
        lines: list[str] = []
        for window in range(len(fields["tokens"])):
            lines.append(f"window {window}")
            rows = {name: values[window] for name, values in fields.items()}
            used = int(np.max(np.flatnonzero(rows["token_type"]), initial=-1)) + 1
            begins = [int(place) for place in np.flatnonzero(rows["positions"][:used] == 0)]
            for begin, end in itertools.pairwise([*begins, used]):
                sequence = {name: values[begin:end] for name, values in rows.items()}
                lines += self._runs(sequence) if layout is None else self._timesteps(sequence, layout)
            if padding := len(rows["tokens"]) - used:
                lines.append(f"  {padding} places of padding")
        return "\n".join(lines)

    def _timesteps(self, sequence: Mapping[str, np.ndarray], layout: TimestepLayout) -> Iterator[str]:
        meanings = timestep_meanings(layout)
        for number, start in enumerate(range(0, len(sequence["tokens"]), layout.length)):
            step = {name: values[start : start + layout.length] for name, values in sequence.items()}
            observed = [self._item(step, place.slice, meanings) for place in layout.places]
            action = self._item(step, layout.action.slice, meanings)
            label = self._item({**step, "tokens": step["targets"]}, layout.action.slice, meanings)
            told = action if label == action else f"{action} (label {label.partition(' ')[2]})"
            yield f"  t{number}: {', '.join(observed)} | {told}"

    def _item(self, step: Mapping[str, np.ndarray], where: slice, meanings: Sequence[Meaning]) -> str:
        item, kinds, ids = meanings[where.start].item, step["token_type"][where], step["tokens"][where]
        assert item is not None, "only the separator has none"
        if (kinds == TokenType.PATCH).any():
            return f"{item.key} [{len(kinds)} patches]"
        if (kinds == TokenType.TEXT).any() or not kinds.any():
            return f"{item.key} {self._quoted(ids[kinds == TokenType.TEXT])}"
        values = (self._reader.value(int(i), int(k), item) for i, k in zip(ids, kinds, strict=True))
        return f"{item.key} {' '.join(value.partition(' (bin')[0] for value in values)}"

    def _runs(self, sequence: Mapping[str, np.ndarray]) -> Iterator[str]:
        parts = []
        kinds, ids = sequence["token_type"], sequence["tokens"]
        for kind, run in itertools.groupby(range(len(ids)), key=lambda place: int(kinds[place])):
            of_run = ids[list(run)]
            if kind == TokenType.PATCH:
                parts.append(f"[{len(of_run)} patches]")
            elif kind == TokenType.TEXT:
                parts.append(self._quoted(of_run))
            elif kind != TokenType.PADDING:
                parts += [self._value(int(i)) for i in of_run]
        yield f"  {' '.join(parts)}"

    def _ids(self, ids: Int[np.ndarray, " n"]) -> str:
        pieces = self.tokens.vocabulary.text_size
        runs = itertools.groupby((int(i) for i in ids), key=lambda i: 0 <= i < pieces)
        return " ".join(self._plain(list(run)) if is_text else " ".join(map(self._value, run)) for is_text, run in runs)

    def _plain(self, ids: list[int]) -> str:
        return self.text.decode(np.array(ids)) if self.text is not None else " ".join(map(str, ids))

    def _quoted(self, ids: np.ndarray) -> str:
        return f"“{self._plain([int(i) for i in ids])}”"

    def _value(self, token: int) -> str:
        """A value of an item that is not known."""
        vocabulary = self.tokens.vocabulary
        if token == vocabulary.separator:
            return "|"
        if vocabulary.continuous_start <= token < vocabulary.continuous_start + BINS:
            return f"<bin {token - vocabulary.continuous_start}>"
        return str(token - vocabulary.discrete_start)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowVocabulary) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity[1:])

    @property
    def _identity(self) -> tuple:
        return self.tokens, self.group, self.task_names, None if self.text is None else self.text.path

    def __str__(self) -> str:
        shape = f"{self.group.windows} x {self.group.window_length} places"
        return f"RowVocabulary(size={self.vocab_size}, rows of {shape}, tasks={list(self._layouts)})"

    __repr__ = __str__


def _fields_of(places: Int[np.ndarray, "windows 6 length"]) -> dict[str, np.ndarray]:
    names = {"positions": "position"}
    return {name: places[:, PLACES.index(names.get(name, name))] for name in _FIELDS}


def _fits(layout: TimestepLayout | None, fields: Mapping[str, np.ndarray]) -> bool:
    """Whether places can be of a task with this layout."""
    kinds, tokens = fields["token_type"], fields["tokens"]
    used = kinds != TokenType.PADDING
    if layout is None:
        return bool(np.isin(kinds[used], (TokenType.TEXT, TokenType.PATCH)).all())
    place = fields["positions"] % layout.length
    if (layout.token_type[place] != kinds)[used].any():
        return False
    low, high = (np.zeros(layout.length, np.int64), np.full(layout.length, np.iinfo(np.int64).max))
    low[layout.action.slice], high[layout.action.slice] = layout.action_low, layout.action_high
    return bool(((low[place] <= tokens) & (tokens < high[place]))[used].all())
