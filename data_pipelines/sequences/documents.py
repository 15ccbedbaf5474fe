"""From interleaved documents, text and pictures in order, to windows of S places: the paper's M3W (section 2.1).

Documents are joined by eos, as plain text is, and cut into windows that hold as much as fits: a picture that does not
fit whole begins the next window. Nothing is trimmed. Pieces of text have no local position, patches count from 1 in
each picture; the paper is silent on both.
"""

import tensorflow as tf

from data_pipelines.sequences.image_text import patch_count
from data_pipelines.sequences.numbering import numbered
from data_pipelines.sequences.windows import WindowFormat, in_turn, uniform
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.vocabulary import TokenType


def document_windows(
    dataset: tf.data.Dataset,
    *,
    text: TfTextTokenizer,
    shape: WindowFormat,
    images: int,
    patches: int,
    seed: tf.Tensor | None,
    documents: int = 16,
    whole: bool = False,
) -> tf.data.Dataset:
    """Examples of `DocumentDataSource` to windows, cut from a random phase.

    What is left before the phase and after the last whole window is dropped, except in validation (no seed) and in a
    pass that is `whole`, where the phase is 0 and the rest is padded.

    Args:
      dataset: the documents.
      text: the text model.
      shape: of the windows.
      images: pictures per window, at most.
      patches: patches per window, at most; no picture has more.
      seed: of this pass, None for validation.
      documents: joined before they are cut.
      whole: whether nothing may be left over.
    """

    def windows(index: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.data.Dataset:
        joined = _Joined(batch, text)
        starts, ends = joined.cut(shape.length, images, patches, None if whole else seed, index)
        return shape.emit(*joined.read(starts, ends, shape, images))

    needed = dataset.map(lambda example: {name: example[name] for name in ("texts", "images", "sizes")})
    batches = numbered(needed.ragged_batch(documents))
    return in_turn(batches, windows, seed=seed)


class _Joined:
    """The places of some documents behind one another. A unit is a text and the picture, or eos, behind it."""

    def __init__(self, batch: dict[str, tf.Tensor], text: TfTextTokenizer):
        sizes = batch["sizes"]
        if isinstance(sizes, tf.RaggedTensor):
            sizes = sizes.flat_values
        sizes = tf.reshape(sizes, [-1, 2])
        self.images = batch["images"].flat_values
        self.patches = patch_count(sizes[:, 0], sizes[:, 1])
        per_document = batch["texts"].row_lengths()
        last = tf.cumsum(per_document) - 1
        words = text.encode(batch["texts"].flat_values)
        is_last = tf.scatter_nd(last[:, None], tf.ones_like(last, tf.int32), tf.shape(words.row_lengths(), tf.int64))
        # Every unit but a document's last has a picture, in order.
        picture = tf.minimum(tf.cumsum(1 - is_last, exclusive=True), tf.maximum(tf.size(self.patches) - 1, 0))
        padded = tf.concat([self.patches, [0]], axis=0)
        counts = tf.where(is_last == 1, 0, tf.gather(padded, picture))
        behind = tf.ragged.range(counts)
        eos = tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(is_last)], text.eos), is_last)
        eos = eos.with_row_splits_dtype(words.row_splits.dtype)
        behind = behind.with_row_splits_dtype(words.row_splits.dtype)
        self.tokens = tf.concat([words, behind, eos], axis=1).flat_values
        self.is_patch = tf.concat([tf.zeros_like(words), tf.ones_like(behind), tf.zeros_like(eos)], axis=1).flat_values
        self.behind = tf.concat([tf.zeros_like(words), behind, tf.zeros_like(eos)], axis=1).flat_values
        self.total = tf.shape(self.tokens)[0]
        # Pictures that begin before or at each place, and where each begins.
        begins = self.is_patch * tf.cast(self.behind == 0, tf.int32)
        self.picture = tf.cumsum(begins)
        self.begins = tf.cast(tf.where(begins == 1)[:, 0], tf.int32)

    def cut(
        self, length: int, images: int, patches: int, seed: tf.Tensor | None, index: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Starts and ends [n] of the windows."""
        limit = tf.concat([[0], tf.cumsum(self.patches)], axis=0)
        begins = tf.concat([self.begins, [self.total]], axis=0)
        behind = tf.concat([self.behind, [0]], axis=0)
        count = tf.shape(self.begins)[0]

        def end_of(start: tf.Tensor) -> tf.Tensor:
            end = tf.minimum(start + length, self.total)
            first = tf.searchsorted(self.begins, start[None])[0]
            fitting = tf.searchsorted(limit, (limit[first] + patches)[None], side="right")[0] - 1
            # The first picture that the budgets have no room for ends the window.
            end = tf.minimum(end, begins[tf.minimum(tf.minimum(first + images, fitting), count)])
            return end - behind[end]

        def more(start: tf.Tensor, *unused) -> tf.Tensor:
            return start < self.total

        def step(start: tf.Tensor, number: tf.Tensor, starts: tf.TensorArray, ends: tf.TensorArray) -> tuple:
            end = end_of(start)
            return end, number + 1, starts.write(number, start), ends.write(number, end)

        phase = tf.constant(0)
        if seed is not None:
            limit_of_phase = tf.minimum(length, tf.maximum(self.total - length, 0) + 1)
            phase = uniform(tf.stack([seed, index]), 0, [], limit_of_phase)
            phase -= behind[phase]
        empty = tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=[])
        _, number, starts, ends = tf.while_loop(more, step, (phase, tf.constant(0), empty, empty))
        starts, ends = starts.stack(), ends.stack()
        if seed is not None:
            complete = tf.maximum(number - 1, 1)
            starts, ends = starts[:complete], ends[:complete]
        return starts, ends

    def read(self, starts: tf.Tensor, ends: tf.Tensor, shape: WindowFormat, images: int) -> tuple:
        """Places [n, 5, S] and frames [n, images] of windows."""
        at = starts[:, None] + tf.range(shape.length)[None]
        used = at < ends[:, None]
        at = tf.where(used, at, 0)
        tokens, is_patch, behind, picture = (
            tf.gather(values, at) for values in (self.tokens, self.is_patch, self.behind, self.picture)
        )
        first = tf.searchsorted(self.begins, starts)
        reference = (picture - 1 - first[:, None]) * shape.frame_patches + behind
        words = 1 - is_patch
        kinds = is_patch * int(TokenType.PATCH) + words * int(TokenType.TEXT)
        rows = [tokens * words + reference * is_patch, tokens * words, kinds, (behind + 1) * is_patch, words]
        places = tf.stack([tf.where(used, row, 0) for row in rows], axis=1)
        number = first[:, None] + tf.range(images)[None]
        inside = number < tf.searchsorted(self.begins, ends)[:, None]
        padded = tf.concat([self.images, [""]], axis=0)
        frames = tf.gather(padded, tf.where(inside, number, tf.shape(self.images)[0]))
        return places, tf.ensure_shape(frames, [None, images])
