"""TensorFlow twin of `timestep.TimestepTokenizer`: a whole episode at once."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from data_pipelines.spec import ItemSpec, Kind, lookup
from data_pipelines.timestep import TimestepLayout
from data_pipelines.tokenizers import continuous as numpy_continuous
from data_pipelines.tokenizers.discrete import DiscreteCodec
from data_pipelines.tokenizers.tf import continuous, discrete
from data_pipelines.tokenizers.tf.text import TfTextTokenizer

PADDING_ID = -1
"""Marks unused places of a textual observation until masks are built."""


def encode_episode(
    layout: TimestepLayout, steps: Mapping[str, Any], text: TfTextTokenizer | None = None
) -> dict[str, tf.Tensor]:
    """Tokens of all timesteps of an episode.

    Args:
      layout: the task's layout.
      steps: RLDS steps as stacked arrays [T, ...]; images stay encoded strings [T]. `expert_action`, if there, is the
        label; the executed `action` is what the sequence shows.
      text: needed where the layout has textual observations.

    Returns:
      tokens, targets: int32 [T, length], `PADDING_ID` on unused text places, 0 on patches; frames: string [T, images].
    """
    vocabulary, tokens = layout.tokens.vocabulary, layout.tokens
    observations = numpy_continuous.companded(tokens.companding)
    count = tf.shape(steps["action"])[0]
    columns, frames = [], []
    for place in layout.places:
        item = place.item
        values = lookup(steps["observation"], item.path)
        if item.kind is Kind.TEXT:
            columns.append(_texts(layout, item, values, text))
        elif item.kind is Kind.IMAGE:
            frames.append(values)
            columns.append(tf.zeros([count, place.size], tf.int32))
        elif item.kind is Kind.DISCRETE:
            codec = DiscreteCodec.build(item, pack=tokens.pack_discrete)
            columns.append(discrete.encode(codec, values) + vocabulary.discrete_start)
        else:
            flat = tf.reshape(tf.cast(values, tf.float32), [-1, place.size])
            columns.append(continuous.encode(observations, flat) + vocabulary.continuous_start)
    columns.append(tf.fill([count, 1], vocabulary.separator))
    executed = _actions(layout, steps["action"])
    label = _actions(layout, steps["expert_action"]) if "expert_action" in steps else executed
    return {
        "tokens": tf.concat([*columns, executed], axis=1),
        "targets": tf.concat([*columns, label], axis=1),
        "frames": tf.stack(frames, axis=1) if frames else tf.zeros([count, 0], tf.string),
    }


def _actions(layout: TimestepLayout, values: tf.Tensor) -> tf.Tensor:
    item, vocabulary = layout.spec.action, layout.tokens.vocabulary
    if item.kind is Kind.DISCRETE:
        codec = DiscreteCodec.build(item, pack=layout.tokens.pack_discrete)
        return discrete.encode(codec, values) + vocabulary.discrete_start
    flat = tf.reshape(tf.cast(values, tf.float32), [-1, layout.action.size])
    return continuous.encode(numpy_continuous.uniform(item.low, item.high), flat) + vocabulary.continuous_start


def _texts(layout: TimestepLayout, item: ItemSpec, values: tf.Tensor, text: TfTextTokenizer | None) -> tf.Tensor:
    if text is None:
        raise ValueError(f"task {layout.spec.name!r} has textual observations, so its tokenizer needs a text model")
    # A mission rarely changes inside an episode: tokenise each distinct string once.
    distinct, index = tf.unique(values)
    pieces = text.encode(distinct)
    slots = layout.tokens.text_tokens
    longest = tf.reduce_max(pieces.row_lengths())
    message = (
        f"task {layout.spec.name!r}: text observation {item.key!r} is too long, expected at most "
        f"tokens.text_tokens = {slots} tokens; found"
    )
    with tf.control_dependencies([tf.debugging.Assert(longest <= slots, [message, longest, distinct])]):
        return tf.gather(pieces.to_tensor(PADDING_ID, shape=[None, slots]), index)
