"""TensorFlow twin of `tokenizers.images`, for images whose size is known only when they are decoded."""

import tensorflow as tf

from data_pipelines.schema import INTERVAL_STEPS, PATCH_SIDE, PATCH_VALUES
from data_pipelines.tokenizers.images import ImageFit


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """One PNG or JPEG string to uint8 [height, width, 3]; gray images are repeated over the channels."""
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


_PNG, _JPEG = 0x89, 0xFF
"""First byte of the files of each format."""

_BEGINNING = 192
"""Bytes of a JPEG that usually hold its frame header, and no pixels yet."""

_SIZE = 4
"""Bytes of height and width in a JPEG's frame header, behind its precision."""


def sizes(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width, int32 [n, 2], of PNG or JPEG strings [n], read from their headers; 0 x 0 of anything else."""
    header = tf.cast(tf.io.decode_raw(encoded, tf.uint8, fixed_length=24), tf.int32)
    width, height = (tf.reduce_sum(header[:, at : at + 4] * [1 << 24, 1 << 16, 1 << 8, 1], axis=1) for at in (16, 20))
    is_png = header[:, 0] == _PNG
    found = tf.where(is_png[:, None], tf.stack([height, width], axis=1), 0)

    def others() -> tf.Tensor:
        jpeg = tf.where(header[:, 0] == _JPEG)
        return tf.tensor_scatter_nd_update(found, jpeg, _jpeg_sizes(tf.gather_nd(encoded, jpeg)))

    return tf.cond(tf.reduce_all(is_png), lambda: found, others)


def _jpeg_sizes(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width, int32 [n, 2]. Frames of one camera begin alike, so one of each kind is parsed, not all."""
    beginnings, kind = tf.unique(tf.strings.substr(encoded, 0, _BEGINNING))
    raw = tf.io.decode_raw(beginnings, tf.uint8, fixed_length=_BEGINNING)
    # FF C0..C2, two bytes of length, 8 bits: the frame header, which holds the size.
    marker = (raw[:, :-4] == 0xFF) & (raw[:, 1:-3] >= 0xC0) & (raw[:, 1:-3] <= 0xC2) & (raw[:, 4:] == 8)
    complete = tf.reduce_all(tf.reduce_any(marker[:, :-_SIZE], axis=1))
    every = tf.range(tf.size(encoded))
    first = tf.math.unsorted_segment_min(every, kind, tf.size(beginnings))
    parsed, back = tf.cond(complete, lambda: (first, kind), lambda: (every, every))
    shapes = tf.map_fn(
        lambda image: tf.io.extract_jpeg_shape(image)[:2],
        tf.gather(encoded, parsed),
        fn_output_signature=tf.TensorSpec([2], tf.int32),
    )
    return tf.gather(shapes, back)


def patch_intervals(patch: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Intervals of single patches, equal to the rows of `images.patch_intervals`.

    Args:
      patch: which patch of its image, in raster order, int32 [...].
      size: height and width of the image, int32 [..., 2].

    Returns:
      int32 [..., 4].
    """
    rows, columns = _count(size[..., 0]), _count(size[..., 1])

    def end(index: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        return (2 * INTERVAL_STEPS * index + count) // (2 * count)

    row, column = patch // columns, patch % columns
    return tf.stack([end(row, rows), end(row + 1, rows), end(column, columns), end(column + 1, columns)], axis=-1)


def patchify(frame: tf.Tensor, fit: ImageFit = ImageFit.PAD) -> tf.Tensor:
    """uint8 [height, width, 3] to uint8 [patches, 768], equal to `images.patchify` of one frame."""
    height, width = tf.shape(frame)[0], tf.shape(frame)[1]
    rows, columns = _count(height), _count(width)
    if fit is ImageFit.RESIZE:
        frame = tf.gather(frame, tf.range(rows * PATCH_SIDE) * height // (rows * PATCH_SIDE), axis=0)
        frame = tf.gather(frame, tf.range(columns * PATCH_SIDE) * width // (columns * PATCH_SIDE), axis=1)
    else:
        frame = tf.pad(frame, [[0, rows * PATCH_SIDE - height], [0, columns * PATCH_SIDE - width], [0, 0]])
    cells = tf.reshape(frame, [rows, PATCH_SIDE, columns, PATCH_SIDE, 3])
    return tf.reshape(tf.transpose(cells, [0, 2, 1, 3, 4]), [-1, PATCH_VALUES])


def _count(size: tf.Tensor) -> tf.Tensor:
    return -(-size // PATCH_SIDE)
