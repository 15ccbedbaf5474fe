"""Datasets that follow each other, each built from arrays of NumPy, such as the passes over a shard of a dealt task."""

import dataclasses
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines.seqio_tasks.deals import PLAN, Dealer, Plan


def built_in_turn(
    count: int | None, arrays: Callable[[int], tuple], spec: tuple, build: Callable[..., tf.data.Dataset]
) -> tf.data.Dataset:
    """The datasets of numbers 0, 1, ... one after another.

    Args:
      count: how many; None = for ever.
      arrays: what a number's dataset is built from, a nest like `spec`. A pure function.
      spec: `tf.TensorSpec` of each array; a tuple.
      build: a dataset from the parts of such a tuple of tensors; it is traced once.
    """
    leaves = tf.nest.flatten(spec)
    types = [leaf.dtype for leaf in leaves]

    def flat(number: np.int64) -> list[np.ndarray]:
        values = tf.nest.flatten(arrays(int(number)))
        return [np.asarray(value, kind.as_numpy_dtype) for value, kind in zip(values, types, strict=True)]

    @tf.autograph.experimental.do_not_convert
    def made(number: tf.Tensor) -> Any:
        values = tf.numpy_function(flat, [number], types, stateful=False)
        shaped = [tf.ensure_shape(value, leaf.shape) for value, leaf in zip(values, leaves, strict=True)]
        return tf.nest.pack_sequence_as(spec, shaped)

    numbers = tf.data.Dataset.range(tf.int64.max if count is None else count)
    return numbers.map(made).flat_map(tf.autograph.experimental.do_not_convert(build))


@dataclasses.dataclass(frozen=True)
class Passes:
    """Passes over a shard of a task. Every timestep of the shard comes once in each, at other places of other windows.

    Without `shuffle` all are alike: in the order of the files and without prompts.

    Args:
      dealer: of the task.
      split: of the task.
      shard, shards: which part is read.
      shuffle: whether windows come in random order.
      seed: of the order; None = another one in every process.
      limit: only so many examples, in an ordered pass.
    """

    dealer: Dealer
    split: str
    shard: int
    shards: int
    shuffle: bool
    seed: Any
    limit: int | None = None

    def dataset(self, count: int | None, build: Callable[[Any, Plan], tf.data.Dataset]) -> tf.data.Dataset:
        """So many passes, None = for ever; `build` makes a pass from its seed and plan.

        Raises:
          ValueError: no end is asked for, and the shard has nothing to deal.
        """
        order = secrets.randbits(32) if self.shuffle and self.seed is None else self.seed
        first = self.plan(0, order)
        if count is None and not len(first["order"]):
            windows = self.dealer.ring(self.split, None).windows
            raise ValueError(
                f"task {self.dealer.recorded.name!r}, split {self.split!r}: shard {self.shard} of {self.shards} is "
                f"empty, as the split makes about {windows} windows; ask for fewer shards"
            )
        constant = {name: tf.constant(values) for name, values in first.items()}
        if count == 1:
            return build(order, constant)
        if not self.shuffle:
            numbers = tf.data.Dataset.range(tf.int64.max if count is None else count)
            return numbers.flat_map(tf.autograph.experimental.do_not_convert(lambda number: build(order, constant)))
        spec = (tf.TensorSpec([], tf.int64), PLAN)
        return built_in_turn(count, lambda number: (fold(int(order), number), self.plan(number, order)), spec, build)

    def plan(self, number: int, order: Any) -> Plan:
        """What pass `number` reads. `order` is the seed, or what was drawn for want of one."""
        if not self.shuffle:
            return self.dealer.one_pass(self.split, None, self.shard, self.shards, limit=self.limit)
        # Whatever each process draws, all must agree on the parts of the shards.
        parts = 0 if self.seed is None and self.shards > 1 else int(order)
        ring, drawn = fold(parts, number), fold(int(order), number)
        return self.dealer.one_pass(self.split, ring, self.shard, self.shards, order=drawn, keep=not number)


def fold(seed: int, number: int) -> int:
    """The seed of pass `number`, below 2**60; that of the first is the seed itself."""
    if not number:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0]) >> 4
