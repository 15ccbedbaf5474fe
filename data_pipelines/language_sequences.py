"""From documents and picture questions to segments of S places (Gato, section 2.3)."""

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


def image_text_segments(
    dataset: tf.data.Dataset,
    *,
    task: str,
    text: TfTextTokenizer,
    shape: SegmentFormat,
    pairs: int,
    image_patches: int,
    seed: tf.Tensor | None,
) -> tf.data.Dataset:
    """Questions about pictures to segments of `pairs` pairs each: patches, question, answer, eos.

    Pairs are joined; what is longer than S is cropped at random, which several pairs may be but a single one may not.
    """
    length = shape.length

    def segments(index: tf.Tensor, batch: dict) -> tf.data.Dataset:
        count = tf.shape(batch["image"])[0]
        groups = -(-count // pairs)
        words = tf.concat(
            [text.encode(batch["question"]), text.encode(batch["answer"]), tf.fill([count, 1], text.eos)], axis=1
        )
        order = tf.range(count) % pairs
        patches = order[:, None] * shape.frame_patches + tf.range(image_patches)
        is_patch = tf.concat([tf.ones_like(patches), tf.zeros_like(words)], axis=1)
        tokens = tf.concat([patches, words], axis=1)
        lengths = tokens.row_lengths()
        flat_patch = is_patch.flat_values
        kinds = tf.where(flat_patch == 1, int(TokenType.PATCH), int(TokenType.TEXT))
        local = tf.ragged.range(1, tf.cast(lengths, tf.int32) + 1).flat_values
        targets = tf.where(flat_patch == 1, 0, tokens.flat_values)
        rows = tf.stack([tokens.flat_values, targets, kinds, local, 1 - flat_patch], axis=1)
        splits = tf.concat([[tf.constant(0, tf.int64)], tf.cumsum(lengths)], axis=0)
        ends = tf.gather(splits, tf.minimum(tf.range(groups + 1) * pairs, count))
        whole = tf.RaggedTensor.from_row_splits(rows, ends)
        sizes = tf.cast(whole.row_lengths(), tf.int32)
        if pairs == 1:
            message = f"task {task!r}: a picture with question and answer must fit segment_length = {length}; found"
            with tf.control_dependencies([tf.debugging.Assert(tf.reduce_max(sizes) <= length, [message, sizes])]):
                starts = tf.zeros_like(sizes)
        else:
            spare = tf.maximum(sizes - length, 0)
            starts = tf.zeros_like(sizes) if seed is None else uniform(tf.stack([seed, index]), 0, [groups], spare + 1)
        dense = whole.to_tensor()
        dense = tf.pad(dense, [[0, 0], [0, length], [0, 0]])
        places = tf.gather(dense, starts[:, None] + tf.range(length)[None], batch_dims=1)
        missing = groups * pairs - count
        frames = tf.reshape(tf.pad(batch["image"], [[0, missing]], constant_values=""), [groups, pairs])
        return shape.emit(tf.transpose(places, [0, 2, 1]), frames)

    batches = dataset.map(_pair_of).batch(16 * pairs)
    return batches.enumerate().interleave(segments, cycle_length=2 if seed is not None else 1, block_length=1)


def _pair_of(example: dict) -> dict[str, tf.Tensor]:
    return {name: example[name] for name in ("image", "question", "answer")}
