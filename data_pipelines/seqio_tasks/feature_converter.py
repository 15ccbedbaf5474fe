"""From rows of windows to the training example of `schema`: SeqIO feature converters, of single rows and of batches.

They never trim: a row with more patches, or a window with more targets, than its group's budget is an error.
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np
import seqio
import tensorflow as tf
from jaxtyping import Int32

from data_pipelines.schema import FIELDS, PATCH_SIDE, PATCH_VALUES
from data_pipelines.seqio_tasks.row_format import RowFormat
from data_pipelines.sequences.windows import PLACES
from data_pipelines.tokenizers.images import ImageSize
from data_pipelines.tokenizers.tf import images
from data_pipelines.vocabulary import TokenType

_Spec = seqio.FeatureConverter.FeatureSpec


def _features(batch_axes: int) -> dict[str, dict[str, seqio.FeatureConverter.FeatureSpec]]:
    """What converters of rows with so many axes in front take and give."""
    task = {"places": (tf.int32, 3, 2), "frames": (tf.string, 2, 1), "task_id": (tf.int32, 1, 0)}
    model = {name: (tf.as_dtype(field.dtype), len(field.axes) + bool(field.width), 0) for name, field in FIELDS.items()}

    def spec(dtype: tf.DType, rank: int, sequence_dim: int) -> seqio.FeatureConverter.FeatureSpec:
        return _Spec(dtype=dtype, rank=rank + batch_axes, sequence_dim=sequence_dim + batch_axes * bool(rank))

    return {
        "task": {name: spec(*values) for name, values in task.items()},
        "model": {name: spec(*values) for name, values in model.items()},
    }


class GatoFeatureConverter(seqio.FeatureConverter):
    """Rows {places [K, 6, S], frames [K, F], task_id [K]} to the fields of `schema.FIELDS`, one by one.

    Args:
      rows: their format; or a mixture or task that `data_pipelines.register` registered, or its name.
      pack: must be false, as the windows of a row are packed already. `t5x` passes it, and the next one.
      use_custom_packing_ops: must be false.

    Raises:
      ValueError: no such name, rows of several shapes, or packing.

    Examples:
      >>> import seqio
      >>> from data_pipelines import GatoFeatureConverter, register
      >>> _ = register("data", name="mine")
      >>> converter = GatoFeatureConverter("mine.metaworld.drawer_close")
      >>> rows = seqio.get_dataset(
      ...     "mine.metaworld.drawer_close", converter.task_feature_lengths, converter, shuffle=False, num_epochs=1
      ... )
      >>> next(iter(rows.take(1)))["tokens"].shape
      TensorShape([1024])
    """

    TASK_FEATURES: Mapping[str, seqio.FeatureConverter.FeatureSpec] = _features(0)["task"]
    MODEL_FEATURES: Mapping[str, seqio.FeatureConverter.FeatureSpec] = _features(0)["model"]
    PACKING_FEATURE_DTYPES: Mapping[str, tf.dtypes.DType] = {}

    def __init__(
        self,
        rows: RowFormat | str | seqio.Task | seqio.Mixture,
        *,
        pack: bool = False,
        use_custom_packing_ops: bool = False,
    ):
        if pack or use_custom_packing_ops:
            raise ValueError(
                "expected pack=False and use_custom_packing_ops=False, as tasks pack episodes and documents into rows "
                f"themselves (StreamConfig.pack), found pack={pack}, use_custom_packing_ops={use_custom_packing_ops}"
            )
        # Lengths are static here and checked by `_convert`; SeqIO's check would cost two mapped functions more.
        super().__init__(pack=False, apply_length_check=False)
        self.rows = RowFormat.of(rows)
        self._name, self._group, self._frame_patches = (
            self.rows.group_name,
            self.rows.group,
            self.rows.frame_patches,
        )
        self._task_names, self._fit = tuple(self.rows.task_names), self.rows.image_fit
        self._image_sizes = self.rows.image_sizes
        self._compiled = tf.function(self._convert, autograph=False)

    @property
    def task_feature_lengths(self) -> dict[str, int]:
        """What `seqio.get_dataset` asks for."""
        return self.rows.feature_lengths

    def get_model_feature_lengths(self, task_feature_lengths: Mapping[str, int]) -> dict[str, int]:
        sizes = {"L": self._group.length, "P": self._group.patches, "": 1}
        return {name: sizes[field.axes] for name, field in FIELDS.items()}

    def _convert_features(self, ds: tf.data.Dataset, task_feature_lengths: Mapping[str, int]) -> tf.data.Dataset:
        self.rows.check_lengths(task_feature_lengths)

        def convert(row: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            batch = self._compiled({name: row[name][None] for name in self.TASK_FEATURES})
            return {name: tf.squeeze(value, 0) for name, value in batch.items()}

        return ds.map(convert, num_parallel_calls=tf.data.AUTOTUNE)

    def _convert(self, rows: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        group, places = self._group, rows["places"]
        expected = (group.windows, len(PLACES), group.window_length)
        if tuple(places.shape[1:]) != expected:
            raise ValueError(f"row group {self._name!r}: expected rows of shape {expected}, found {places.shape[1:]}")
        tokens, targets, kinds, local, loss, position = tf.unstack(places, axis=2)
        valid = kinds != int(TokenType.PADDING)
        is_patch = kinds == int(TokenType.PATCH)
        # The first place of a sequence has nothing before it to predict it from, be it behind unused places of text.
        before = tf.cumsum(tf.cast(valid, tf.int32), axis=2, exclusive=True)
        begins_at = tf.range(group.window_length) - position
        loss *= tf.cast(before > tf.gather(before, begins_at, batch_dims=2), tf.int32)
        task_id = rows["task_id"][:, 0]
        checks = [self._check("targets of a window", tf.reduce_sum(loss, axis=2), group.target_budget, task_id)]
        batch = tf.shape(tokens)[0]
        begins = tf.cast(tf.reshape(position == 0, [batch, group.length]), tf.int32)
        number = tf.reshape(tf.cumsum(begins, axis=1), tf.shape(tokens))
        with tf.control_dependencies(checks):
            fields = {
                "tokens": tf.where(is_patch, 0, tokens),
                "targets": targets,
                "loss_mask": tf.cast(loss, tf.float32),
                "observation_position": local,
                "token_type": kinds,
                "segment_ids": tf.where(valid, number, 0),
                "positions": position,
            }
        fields = {name: tf.reshape(value, [batch, group.length]) for name, value in fields.items()}
        fields |= self._patches(tokens, is_patch, rows["frames"], task_id)
        return {**fields, "task_id": task_id}

    def _patches(
        self, references: tf.Tensor, is_patch: tf.Tensor, frames: tf.Tensor, task_id: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Decoded patches in the order of their places. `references` tells which of its window's patches each is."""
        group, count = self._group, self._group.patches
        batch = tf.shape(references)[0]
        if not count or not frames.shape[2] or not self._frame_patches:
            return {
                "patches": tf.zeros([batch, count, PATCH_VALUES], tf.uint8),
                "patch_slot": tf.fill([batch, count], group.length),
                "patch_interval": tf.zeros([batch, count, 4], tf.int32),
            }
        is_patch = tf.reshape(is_patch, [batch, group.length])
        needed = tf.reduce_sum(tf.cast(is_patch, tf.int32), axis=1)
        with tf.control_dependencies([self._check("image patches of a row", needed, count, task_id)]):
            slots = tf.argsort(tf.cast(~is_patch, tf.int32), axis=1, stable=True)[:, :count]
        used = tf.sequence_mask(needed, count)
        there = tf.strings.length(frames) > 0
        frame = tf.where(there)
        kinds = tf.gather(tf.constant(self._size_indices(frames.shape[2])), task_id)
        kinds = tf.gather_nd(kinds, tf.stack([frame[:, 0], frame[:, 2]], axis=1))
        # Pictures are large, so none is copied where that can be helped.
        every = tf.reduce_all(there)
        encoded = tf.cond(every, lambda: tf.reshape(frames, [-1]), lambda: tf.gather_nd(frames, frame))
        patches, sizes = self._decode(encoded, kinds)
        # Which of the decoded images each of the row's images is, counted over the batch.
        number = tf.reshape(tf.cumsum(tf.cast(tf.reshape(there, [-1]), tf.int32), exclusive=True), [batch, -1])
        window = tf.range(group.windows)[:, None] * (frames.shape[2] * self._frame_patches)
        references = tf.gather(tf.reshape(references + window, [batch, group.length]), slots, batch_dims=1)
        of_image = references % self._frame_patches
        image = tf.gather(number, tf.where(used, references // self._frame_patches, 0), batch_dims=1)
        image = tf.where(used, image, 0)
        sizes = tf.pad(sizes, [[0, 1], [0, 0]], constant_values=PATCH_SIDE)  # There may be no image at all.
        intervals = images.patch_intervals(of_image, tf.gather(sizes, image))
        chosen = image * self._frame_patches + of_image
        return {
            "patches": _take(tf.reshape(patches, [-1, PATCH_VALUES]), chosen, needed),
            "patch_slot": tf.where(used, slots, group.length),
            "patch_interval": tf.where(used[..., None], intervals, 0),
        }

    @functools.cached_property
    def _known_sizes(self) -> list[ImageSize]:
        return sorted({size for sizes in self._image_sizes.values() for size in sizes if size is not None})

    def _size_indices(self, frames: int) -> Int32[np.ndarray, "tasks frames"]:
        """Which of `_known_sizes` each frame of a task's windows has; -1 = that is seen when it is decoded."""
        index = np.full((len(self._task_names), frames), -1, np.int32)
        for task, sizes in self._image_sizes.items():
            size_indices = [-1 if size is None else self._known_sizes.index(size) for size in sizes]
            if size_indices:
                index[task] = np.resize(size_indices, frames)
        return index

    def _decode(self, encoded: tf.Tensor, kinds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Patches uint8 [n, frame_patches, 768], padded with zeros, and heights and widths int32 [n, 2] of images."""
        decoders: dict[int, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]] = {
            kind: functools.partial(self._decode_equal, size=size) for kind, size in enumerate(self._known_sizes)
        }
        if any(size is None for sizes in self._image_sizes.values() for size in sizes):
            decoders[-1] = self._decode_each
        if len(decoders) == 1:
            (decode,) = decoders.values()
            return decode(encoded)
        parts = [tf.where(kinds == kind)[:, 0] for kind in decoders]
        decoded = [decode(tf.gather(encoded, part)) for decode, part in zip(decoders.values(), parts, strict=True)]
        order = tf.argsort(tf.concat(parts, axis=0))
        patches, sizes = (tf.concat(group, axis=0) for group in zip(*decoded, strict=True))
        return tf.gather(patches, order), tf.gather(sizes, order)

    def _decode_equal(self, encoded: tf.Tensor, size: ImageSize) -> tuple[tf.Tensor, tf.Tensor]:
        """Images of one size."""
        decode = images.decode_raw if size.raw else images.decode_equal
        patches = images.patchify(decode(encoded, size.height, size.width), self._fit)
        if missing := self._frame_patches - patches.shape[1]:
            patches = tf.pad(patches, [[0, 0], [0, missing], [0, 0]])
        return patches, tf.tile(tf.constant([size[:2]], tf.int32), [tf.size(encoded), 1])

    def _decode_each(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Images of any size, one after the other."""

        def one(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            pixels = images.decode(image)
            (patches,) = tf.unstack(images.patchify(pixels[None], self._fit), num=1)
            count = tf.shape(patches)[0]
            message = f"row group {self._name!r}: an image has more patches than its task's spec says; expected, found"
            check = tf.debugging.Assert(count <= self._frame_patches, [message, self._frame_patches, count])
            with tf.control_dependencies([check]):
                padded = tf.pad(patches, [[0, self._frame_patches - count], [0, 0]])
            return tf.ensure_shape(padded, [self._frame_patches, PATCH_VALUES]), tf.shape(pixels)[:2]

        spec = (
            tf.TensorSpec([self._frame_patches, PATCH_VALUES], tf.uint8),
            tf.TensorSpec([2], tf.int32),
        )
        return tf.map_fn(one, encoded, fn_output_signature=spec)

    def _check(self, what: str, counts: tf.Tensor, budget: int, task_id: tf.Tensor) -> tf.Operation:
        message = f"row group {self._name!r}: {what} exceed the budget of {budget}; found (per row), tasks:"
        names = tf.gather(tf.constant(self._task_names), task_id)
        return tf.debugging.Assert(tf.reduce_all(counts <= budget), [message, counts, names], summarize=64)


class BatchedFeatureConverter(GatoFeatureConverter):
    """The same for batches of rows, so that the cost does not grow with their number: the stream's."""

    TASK_FEATURES: Mapping[str, seqio.FeatureConverter.FeatureSpec] = _features(1)["task"]
    MODEL_FEATURES: Mapping[str, seqio.FeatureConverter.FeatureSpec] = _features(1)["model"]

    def _convert_features(self, ds: tf.data.Dataset, task_feature_lengths: Mapping[str, int]) -> tf.data.Dataset:
        self.rows.check_lengths(task_feature_lengths)
        return ds.map(self._compiled)


def _take(patches: tf.Tensor, chosen: tf.Tensor, needed: tf.Tensor) -> tf.Tensor:
    """The patches of each row, then zeros: uint8 [B, P, 768].

    Args:
      patches: of all rows, uint8 [n, 768].
      chosen: which of them stand in a row's slots, int32 [B, P].
      needed: how many of its slots a row uses, int32 [B].
    """
    (batch, _), count, total = tf.unstack(tf.shape(chosen)), chosen.shape[1], tf.shape(patches)[0]
    used, each = tf.sequence_mask(needed, count), total // batch

    def in_turn() -> tf.Tensor:
        rows = tf.reshape(patches, [batch, each, PATCH_VALUES])
        return tf.concat([rows, tf.zeros([batch, count - each, PATCH_VALUES], tf.uint8)], axis=1)

    def in_any_order() -> tf.Tensor:
        some = tf.concat([patches, tf.zeros([1, PATCH_VALUES], tf.uint8)], axis=0)
        return tf.gather(some, tf.where(used, chosen, total))

    # Most batches have equally many in each row, one after the other: then one copy is enough.
    turn = tf.range(batch)[:, None] * each + tf.range(count)
    equal = (each * batch == total) & tf.reduce_all(needed == each) & tf.reduce_all(~used | (chosen == turn))
    return tf.ensure_shape(tf.cond(equal, in_turn, in_any_order), [None, count, PATCH_VALUES])
