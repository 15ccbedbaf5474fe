"""From text documents to segments of S places (Gato, section 2.3)."""

import tensorflow as tf

from data_pipelines.sequences import SegmentFormat, uniform
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.vocabulary import TokenType


def text_segments(
    dataset: tf.data.Dataset,
    *,
    text: TfTextTokenizer,
    shape: SegmentFormat,
    seed: tf.Tensor | None,
    documents: int = 16,
) -> tf.data.Dataset:
    """Documents {"text"} to segments: documents joined by eos, cut from a random phase.

    Rests shorter than a segment are dropped, except in validation (no seed), where they are padded.
    """
    length = shape.length

    def segments(index: tf.Tensor, texts: tf.Tensor) -> tf.data.Dataset:
        pieces = text.encode(texts)
        eos = tf.fill([tf.shape(texts)[0], 1], text.eos)
        stream = tf.concat([pieces, eos], axis=1).flat_values
        total = tf.shape(stream)[0]
        if seed is not None:
            phase = uniform(tf.stack([seed, index]), 0, [], tf.minimum(length, tf.maximum(total - length, 0) + 1))
            stream = stream[phase:]
            stream = stream[: tf.maximum((total - phase) // length * length, tf.minimum(length, total))]
        missing = -tf.shape(stream)[0] % length
        used = tf.reshape(tf.pad(tf.ones_like(stream), [[0, missing]]), [-1, length])
        tokens = tf.reshape(tf.pad(stream, [[0, missing]]), [-1, length])
        places = tf.stack([tokens, tokens, used * int(TokenType.TEXT), tf.zeros_like(tokens), used], axis=1)
        return shape.emit(places, tf.zeros([tf.shape(places)[0], 0], tf.string))

    texts = dataset.map(_text_of).batch(documents)
    return texts.enumerate().interleave(segments, cycle_length=2 if seed is not None else 1, block_length=1)


def _text_of(example: dict) -> tf.Tensor:
    return example["text"]
