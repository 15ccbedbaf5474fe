"""TensorFlow twin of `timestep.TimestepTokenizer`: a whole episode at once."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from data_pipelines.spec import Kind, lookup
from data_pipelines.tokenizers import continuous as numpy_continuous
from data_pipelines.tokenizers.discrete import DiscreteCodec
from data_pipelines.tokenizers.layout import Place, TimestepLayout
from data_pipelines.tokenizers.tf import checks, continuous, discrete, images
from data_pipelines.tokenizers.tf.text import TfTextTokenizer

PADDING_ID = -1
"""Marks unused places of a textual observation until masks are built."""


def encode_episode(
    layout: TimestepLayout,
    steps: Mapping[str, Any],
    text: TfTextTokenizer | None = None,
    *,
    episode: tf.Tensor | int = 0,
    part: tf.Tensor | None = None,
) -> dict[str, tf.Tensor]:
    """Tokens of all timesteps of an episode.

    Values that cannot become tokens fail an assertion that `explain_failures` explains.

    Args:
      layout: the task's layout.
      steps: RLDS steps as stacked arrays [T, ...]; images stay encoded strings [T]. `expert_action`, if there, is the
        label; the executed `action` is what the sequence shows.
      text: needed where the layout has textual observations.
      episode: number of the example, for messages.
      part: first timestep that is wanted, and the one behind the last, int64 [2]; None = all.

    Returns:
      tokens, targets: int32 [T, length], `PADDING_ID` on unused text places, 0 on patches; frames: string [T, images].
    """
    task, number = layout.spec.name, tf.convert_to_tensor(episode)
    labels = [key for key in ("action", "expert_action") if key in steps]
    items = {place.item.key: place.item for place in layout.places}
    values = {key: lookup(steps["observation"], item.path) for key, item in items.items()}
    actions = {key: steps[key] for key in labels}
    count = tf.shape(actions["action"])[0]
    begin, end = (0, count) if part is None else tf.unstack(tf.cast(part, tf.int32))
    whole = checks.have_rows({**values, **actions}, {**items, **dict.fromkeys(labels, layout.spec.action)}, count)
    # Before anything is joined, which would fail with a message about shapes.
    with tf.control_dependencies([checks.assertion(task, number, whole & (end <= count))]):
        count = tf.identity(end - begin)
        if part is not None:
            values = {key: value[begin:end] for key, value in values.items()}
            actions = {key: value[begin:end] for key, value in actions.items()}
    observation = _Observation(layout, values, count, text)
    executed = {key: _Actions(layout, value, count) for key, value in actions.items()}
    conditions = [*observation.conditions, *(action.condition for action in executed.values())]
    with tf.control_dependencies([checks.assertion(task, number, *conditions)]):
        shown = [*observation.tokens(), tf.fill([count, 1], layout.tokens.vocabulary.separator)]
        ids = {key: action.tokens() for key, action in executed.items()}
        tokens = tf.concat([*shown, ids["action"]], axis=1)
        return {
            "tokens": tokens,
            "targets": tf.concat([*shown, ids["expert_action"]], axis=1) if "expert_action" in ids else tokens,
            "frames": observation.frames,
        }


class _Observation:
    """The items of a kind side by side, so that each kind is checked, and turned into tokens, at once."""

    def __init__(
        self, layout: TimestepLayout, values: Mapping[str, tf.Tensor], count: tf.Tensor, text: TfTextTokenizer | None
    ):
        self._layout, self._values, self._count = layout, values, count
        self.conditions: list[tf.Tensor] = []
        self._texts = [self._encode_texts(place, text) for place in self._places(Kind.TEXT)]
        self.frames = tf.zeros([count, 0], tf.string)
        if pictures := [place.item for place in self._places(Kind.IMAGE)]:
            self.frames = tf.stack([values[item.key] for item in pictures], axis=1)
            self.conditions.append(checks.have_size(images.sizes(tf.reshape(self.frames, [-1])), pictures))
        if items := [place.item for place in self._places(Kind.DISCRETE)]:
            digits = [tf.reshape(tf.cast(values[item.key], tf.int64), [count, item.size]) for item in items]
            self.conditions.append(checks.are_in_range(_beside(digits), items))
        self._numbers = None
        if items := [place.item for place in self._places(Kind.CONTINUOUS)]:
            numbers = [tf.reshape(tf.cast(values[item.key], tf.float32), [count, item.size]) for item in items]
            self._numbers = _beside(numbers)
            self.conditions.append(checks.are_finite(self._numbers))

    def tokens(self) -> list[tf.Tensor]:
        """Ids in canonical order, [T, n] each."""
        vocabulary, settings = self._layout.tokens.vocabulary, self._layout.tokens
        padded = [pieces.to_tensor(PADDING_ID, shape=[None, settings.text_tokens]) for pieces, _ in self._texts]
        columns = [tf.gather(ids, index) for ids, (_, index) in zip(padded, self._texts, strict=True)]
        if patches := sum(place.size for place in self._places(Kind.IMAGE)):
            columns.append(tf.zeros([self._count, patches], tf.int32))
        for place in self._places(Kind.DISCRETE):
            codec = DiscreteCodec.build(place.item, pack=settings.pack_discrete)
            columns.append(discrete.encode(codec, self._values[place.item.key]) + vocabulary.discrete_start)
        if self._numbers is not None:
            bins = continuous.encode(numpy_continuous.companded(settings.companding), self._numbers)
            columns.append(bins + vocabulary.continuous_start)
        return columns

    def _places(self, kind: Kind) -> list[Place]:
        return [place for place in self._layout.places if place.item.kind is kind]

    def _encode_texts(self, place: Place, text: TfTextTokenizer | None) -> tuple[tf.RaggedTensor, tf.Tensor]:
        if text is None:
            raise ValueError(
                f"task {self._layout.spec.name!r} has textual observations, so its tokenizer needs a text model"
            )
        # A mission rarely changes inside an episode: tokenise each distinct string once.
        distinct, index = tf.unique(self._values[place.item.key])
        pieces = text.encode(distinct)
        self.conditions.append(tf.reduce_all(pieces.row_lengths() <= self._layout.tokens.text_tokens))
        return pieces, index


class _Actions:
    """Actions, or labels, of an episode: whether they can become tokens, and their ids."""

    def __init__(self, layout: TimestepLayout, values: tf.Tensor, count: tf.Tensor):
        item, self._layout = layout.spec.action, layout
        if item.kind is Kind.DISCRETE:
            self._values = values
            digits = tf.reshape(tf.cast(values, tf.int64), [count, item.size])
            self.condition = checks.are_in_range(digits, [item])
        else:
            self._values = tf.reshape(tf.cast(values, tf.float32), [count, item.size])
            self.condition = checks.are_between(self._values, item.low, item.high)

    def tokens(self) -> tf.Tensor:
        item, vocabulary = self._layout.spec.action, self._layout.tokens.vocabulary
        if item.kind is Kind.DISCRETE:
            codec = DiscreteCodec.build(item, pack=self._layout.tokens.pack_discrete)
            return discrete.encode(codec, self._values) + vocabulary.discrete_start
        bins = continuous.encode(numpy_continuous.uniform(item.low, item.high), self._values)
        return bins + vocabulary.continuous_start


def _beside(columns: list[tf.Tensor]) -> tf.Tensor:
    return columns[0] if len(columns) == 1 else tf.concat(columns, axis=1)
