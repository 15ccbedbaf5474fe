"""Windows of S places, and rows of K windows (Gato, section 2.3).

A window travels as one int32 array [6, S], the rows named by `PLACES`, and its encoded frames: few and small tensors,
because the cost of a pipeline is the number of tensors it moves. What is left of the training example (patches, masks
that follow from these rows) is built after batching, in `seqio_tasks.feature_converter`.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

PLACES = ("tokens", "targets", "token_type", "observation_position", "loss_mask", "position")
"""Rows of a window's array. On a patch, `tokens` holds which of the window's patches it is; `position` counts
from 0 in each of the independent sequences that share the window."""


@dataclasses.dataclass(frozen=True)
class WindowFormat:
    """What all windows of a task share.

    Args:
      task_id: number of the task in the mixture.
      length: S, places.
      frames: encoded images a window carries (unused ones are empty strings).
      frame_patches: most patches one of the group's images is cut into.
    """

    task_id: int
    length: int
    frames: int
    frame_patches: int

    def emit(self, places: tf.Tensor, frames: tf.Tensor, position: tf.Tensor | None = None) -> tf.data.Dataset:
        """Windows {places [6, S], frames [F], task_id}.

        Args:
          places: int32 [n, 5, up to S], all of `PLACES` but the last.
          frames: [n, up to F].
          position: int32 [n, up to S], the last of `PLACES`; None = one sequence in each window.
        """
        count, size = tf.shape(places)[0], places.shape[2]
        index = tf.broadcast_to(tf.range(self.length), [count, self.length])
        position = index if position is None else tf.concat([position, index[:, size:]], axis=1)
        places = tf.pad(places, [[0, 0], [0, 0], [0, self.length - size]])
        places = tf.concat([places, position[:, None]], axis=1)
        if unused := self.frames - frames.shape[1]:
            frames = tf.pad(frames, [[0, 0], [0, unused]], constant_values="")
        identity = tf.fill([count], self.task_id)
        return tf.data.Dataset.from_tensor_slices({"places": places, "frames": frames, "task_id": identity})


def rows(
    dataset: tf.data.Dataset,
    *,
    windows: int,
    shuffle_buffer: int,
    seed: tf.Tensor | None,
    whole: bool = False,
) -> tf.data.Dataset:
    """Windows to rows of K: {places [K, 6, S], frames [K, F], task_id [K]}, shuffled across episodes before.

    Without a seed (validation) the order stays. Then, and where `whole` asks that nothing is left over, the last row is
    filled up with padding windows.
    """
    if seed is not None and shuffle_buffer > 1:
        dataset = dataset.shuffle(shuffle_buffer, seed=seed + 5)
    if (seed is None or whole) and windows > 1:
        padding = {
            name: tf.zeros([windows - 1, *leaf.shape], leaf.dtype) for name, leaf in dataset.element_spec.items()
        }
        dataset = dataset.concatenate(tf.data.Dataset.from_tensor_slices(padding))
    return dataset.batch(windows, drop_remainder=True)


def in_turn(
    elements: tf.data.Dataset, windows: Callable[..., tf.data.Dataset], *, seed: tf.Tensor | None, at_a_time: int = 2
) -> tf.data.Dataset:
    """The windows of each element, those of some elements in turn; without a seed, one element after another."""
    return elements.interleave(windows, cycle_length=1 if seed is None else at_a_time, block_length=1)


def uniform(key: tf.Tensor, number: int, shape: list, limit: tf.Tensor) -> tf.Tensor:
    """Integers in [0, limit); the limit may differ per entry, and is far below 2**31."""
    return tf.random.stateless_uniform(shape, fold(key, number), 0, 2**31 - 1, tf.int32) % limit


def fold(key: tf.Tensor, number: int) -> tf.Tensor:
    """The seed [2] of one draw."""
    return tf.stack([key[0] + number, key[1]])
