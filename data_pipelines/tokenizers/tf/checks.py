"""TensorFlow's side of `tokenizers.checks`: whether all values of an episode can become tokens, in a few operations.

The assertion names the task and the number of the episode only. Where and what is wrong is found in NumPy, by reading
that episode again (`explain_failures`): a graph that could say so itself took half as long again to build.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from data_pipelines.errors import MISFIT
from data_pipelines.spec import ItemSpec, Kind
from data_pipelines.tokenizers.discrete import DiscreteCodec


def assertion(task: str, episode: tf.Tensor, *conditions: tf.Tensor) -> tf.Operation:
    """Fails unless all the scalars are true; `errors.misfit_of` reads its message."""
    ok = conditions[0] if len(conditions) == 1 else tf.reduce_all(tf.stack(conditions))
    # The operation itself: tf.debugging.Assert builds a conditional around it, which costs more than it saves here.
    return tf.raw_ops.Assert(condition=ok, data=[tf.constant(MISFIT.format(task=task)), episode], summarize=1)


def have_rows(values: Mapping[str, tf.Tensor], items: Mapping[str, ItemSpec], count: tf.Tensor) -> tf.Tensor:
    """Whether every key has one value for each of the `count` timesteps."""
    sizes = [1 if items[key].kind in (Kind.TEXT, Kind.IMAGE) else items[key].size for key in values]
    return tf.reduce_all(tf.stack([tf.size(value) for value in values.values()]) == count * tf.constant(sizes))


def are_finite(values: tf.Tensor) -> tf.Tensor:
    """Whether all float32 values are."""
    return tf.reduce_all(tf.math.is_finite(values))


def are_between(values: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Whether all float32 values are from `low` to `high`, as float32 has these; NaN is not."""
    return tf.reduce_all((values >= tf.constant(low, tf.float32)) & (values <= tf.constant(high, tf.float32)))


def are_in_range(values: tf.Tensor, items: Sequence[ItemSpec]) -> tf.Tensor:
    """Whether 0 <= values < limits [timesteps, columns], for the columns of the items; int64, as casts wrap around."""
    limits = [limit for item in items for limit in DiscreteCodec.limits(item).ravel().tolist()]
    return tf.reduce_all((values >= 0) & (values < tf.constant(limits, tf.int64)))


def have_size(sizes: tf.Tensor, items: Sequence[ItemSpec]) -> tf.Tensor:
    """Whether heights and widths [timesteps * images, 2] are those of the items, which alternate."""
    expected = tf.constant([item.shape[:2] for item in items], tf.int32)
    return tf.reduce_all(tf.reshape(sizes, [-1, len(items), 2]) == expected)
