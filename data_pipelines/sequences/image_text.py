"""From pictures with captions, or with questions and answers, to windows of S places (Gato, section 2.3).

The paper draws five pairs, joins them, and pads or crops to the length. A pair is: patches, question (of a caption
none), answer or caption, eos. A crop keeps whole pictures only: the paper does not say, and half a picture has no use.
"""

import math

import tensorflow as tf

from data_pipelines.sequences.numbering import numbered
from data_pipelines.sequences.windows import WindowFormat, in_turn, uniform
from data_pipelines.tokenizers.images import grid
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.vocabulary import TokenType


def pair_windows(
    dataset: tf.data.Dataset,
    *,
    task: str,
    text: TfTextTokenizer,
    shape: WindowFormat,
    pairs: int,
    image_shape: tuple[int, int] | None,
    max_positions: int,
    question_loss: bool,
    seed: tf.Tensor | None,
) -> tf.data.Dataset:
    """Examples of `ImageTextDataSource` to windows of `pairs` pairs each.

    Pairs that are longer than S together are cropped at random, from the front without a seed (validation): the crop
    starts at a text piece or at the first patch of a picture, and a picture that would not end inside it is left out.
    A single pair is never cropped. Of several captions one is drawn, anew in every pass; without a seed the first.

    Args:
      dataset: the examples.
      task: its name, for messages.
      text: the text model.
      shape: of the windows.
      pairs: pairs per window.
      image_shape: height and width of all pictures, or None where each example has its own.
      max_positions: local positions there are; text behind them has none, as plain text has none.
      question_loss: whether questions are targets too.
      seed: of this pass, None for validation.
    """
    builder = _PairBuilder(task, text, shape, pairs, max_positions, question_loss, seed)

    def pair(index: tf.Tensor, example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if "captions" in example:
            count = tf.shape(example["captions"])[0]
            chosen = 0 if seed is None else uniform(tf.stack([seed, index]), 1, [], count)
            question, answer = tf.constant(""), example["captions"][chosen]
        else:
            question, answer = example["question"], example["answer"]
        patches = patch_count(example["height"], example["width"]) if image_shape is None else math.prod(
            grid(*image_shape)
        )  # fmt: skip
        return {"image": example["image"], "question": question, "answer": answer, "patches": patches}

    batches = numbered(dataset).map(pair).batch(16 * pairs)
    return in_turn(numbered(batches), builder.windows, seed=None)  # What is dealt when, the dealer decides.


def patch_count(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """int32: 16x16 patches that cover pictures of these sizes."""
    rows, columns = grid(height, width)
    return rows * columns


class _PairBuilder:
    """Joins the pairs of a batch and cuts them to length, all windows of the batch at once."""

    def __init__(
        self, task: str, text: TfTextTokenizer, shape: WindowFormat, pairs: int, max_positions: int,
        question_loss: bool, seed: tf.Tensor | None,
    ):  # fmt: skip
        self._task, self._text, self._shape, self._pairs = task, text, shape, pairs
        self._max_positions, self._question_loss, self._seed = max_positions, question_loss, seed

    def windows(self, index: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.data.Dataset:
        length, pairs = self._shape.length, self._pairs
        count = tf.shape(batch["image"])[0]
        groups = -(-count // pairs)
        places, sizes = self._places(batch)
        # Pairs to groups: where each pair, and each group, starts in the flat places.
        begins = tf.concat([[0], tf.cumsum(sizes)], axis=0)
        ends = tf.gather(begins, tf.minimum(tf.range(groups + 1) * pairs, count))
        totals = ends[1:] - ends[:-1]
        starts = self._starts(index, groups, totals)
        # Longer by a window, so that one can begin anywhere in a group of pairs; zeros are padding.
        dense = tf.pad(tf.RaggedTensor.from_row_splits(places, ends).to_tensor(), [[0, 0], [0, length + 1], [0, 0]])
        behind_start = dense[..., _BACK]
        starts -= tf.gather(behind_start, starts, batch_dims=1)
        window = tf.gather(dense, starts[:, None] + tf.range(length)[None], batch_dims=1)
        cut = length - tf.gather(behind_start, starts + length, batch_dims=1)
        window = tf.where((tf.range(length)[None] < cut[:, None])[..., None], window, 0)
        frames = self._frames(batch, begins, starts + ends[:-1], cut, groups)
        return self._shape.emit(tf.transpose(window[..., :_BACK], [0, 2, 1]), frames)

    def _places(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Rows of `windows.PLACES` and how far behind the start of its picture a patch is [n, 6]; sizes of pairs."""
        count = tf.shape(batch["image"])[0]
        question, answer = self._text.encode(batch["question"]), self._text.encode(batch["answer"])
        eos = tf.fill([count, 1], self._text.eos)
        behind = tf.ragged.range(batch["patches"])
        first = tf.range(count) % self._pairs * self._shape.frame_patches
        tokens = tf.concat([behind + first[:, None], question, answer, eos], axis=1)
        sizes = tf.cast(tokens.row_lengths(), tf.int32)
        asked = tf.ones_like(question) if self._question_loss else tf.zeros_like(question)
        answered = tf.concat([tf.ones_like(answer), tf.ones_like(eos)], axis=1)
        loss = tf.concat([tf.zeros_like(behind), asked, answered], axis=1).flat_values
        words = tf.concat([tf.zeros_like(question), tf.zeros_like(answered)], axis=1)
        patch = tf.concat([tf.ones_like(behind), words], axis=1).flat_values
        back = tf.concat([behind, words], axis=1).flat_values
        local = tf.ragged.range(1, sizes + 1).flat_values
        local = tf.where(local <= self._max_positions, local, 0)
        kinds = tf.where(patch == 1, int(TokenType.PATCH), int(TokenType.TEXT))
        targets = tf.where(patch == 1, 0, tokens.flat_values)
        return tf.stack([tokens.flat_values, targets, kinds, local, loss, back], axis=1), sizes

    def _starts(self, index: tf.Tensor, groups: tf.Tensor, totals: tf.Tensor) -> tf.Tensor:
        length = self._shape.length
        if self._pairs == 1:
            message = (
                f"task {self._task!r}: a picture with its text must fit window_length = {length}, "
                "or stream.image_text_pairs must be above 1; found"
            )
            fits = tf.debugging.Assert(tf.reduce_max(totals) <= length, [message, totals])
            with tf.control_dependencies([fits]):
                return tf.zeros_like(totals)
        if self._seed is None:
            return tf.zeros_like(totals)
        return uniform(tf.stack([self._seed, index]), 0, [groups], tf.maximum(totals - length, 0) + 1)

    def _frames(
        self, batch: dict[str, tf.Tensor], begins: tf.Tensor, starts: tf.Tensor, cut: tf.Tensor, groups: tf.Tensor
    ) -> tf.Tensor:
        """Encoded pictures [groups, pairs]; "" for those outside the crop, which need not be decoded."""
        count = tf.shape(batch["image"])[0]
        group = tf.range(count) // self._pairs
        first = begins[:-1] - tf.gather(starts, group)
        inside = (first >= 0) & (first + batch["patches"] <= tf.gather(cut, group))
        images = tf.where(inside, batch["image"], "")
        missing = groups * self._pairs - count
        return tf.reshape(tf.pad(images, [[0, missing]], constant_values=""), [groups, self._pairs])


_BACK = 5
"""Column of `_PairBuilder._places` behind those of `windows.PLACES`."""
