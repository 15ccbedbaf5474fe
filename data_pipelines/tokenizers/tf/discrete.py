"""TensorFlow twin of `tokenizers.discrete`."""

import tensorflow as tf

from data_pipelines.tokenizers.discrete import DiscreteCodec


def encode(codec: DiscreteCodec, values: tf.Tensor) -> tf.Tensor:
    """Values [steps, ...] of one item to int32 [steps, size] in [0, limit); out of range is an error at run time."""
    values = tf.cast(values, tf.int32)
    digits = tf.constant(codec.radix or (codec.limit,), tf.int32)
    legal = tf.reduce_all((values >= 0) & (values < digits))
    message = f"{codec.key!r}: discrete values must lie below {codec.radix or (codec.limit,)}, found the range"
    check = tf.debugging.Assert(legal, [message, tf.reduce_min(values), tf.reduce_max(values)])
    with tf.control_dependencies([check]):
        if codec.place_values:
            values = tf.reduce_sum(values * tf.constant(codec.place_values, tf.int32), axis=-1)
        return tf.reshape(values, [-1, codec.size])
