"""TensorFlow twin of `tokenizers.continuous`."""

import tensorflow as tf

from data_pipelines.tokenizers.continuous import SMALLEST_NORMAL, Quantizer


def encode(quantizer: Quantizer, values: tf.Tensor) -> tf.Tensor:
    """Bin of each float32 value, int32 in [0, 1024); equal to `quantizer.encode`."""
    values = tf.where(tf.abs(values) < SMALLEST_NORMAL, tf.zeros_like(values), values)
    bins = tf.raw_ops.Bucketize(input=values, boundaries=[float(edge) for edge in quantizer.edges])
    if quantizer.inner is not None:
        bins = tf.where(tf.abs(values) <= 1, encode(quantizer.inner, values), bins)
    return bins
