"""TensorFlow twin of `tokenizers.discrete`."""

import tensorflow as tf

from data_pipelines.tokenizers.discrete import DiscreteCodec


def encode(codec: DiscreteCodec, values: tf.Tensor) -> tf.Tensor:
    """Values [steps, ...] of one item, in their range (`checks.is_in_range`), to int32 [steps, size] in [0, limit)."""
    values = tf.cast(values, tf.int32)
    if codec.place_values:
        values = tf.reduce_sum(values * tf.constant(codec.place_values, tf.int32), axis=-1)
    return tf.reshape(values, [-1, codec.size])
