"""TensorFlow twin of `tokenizers.images`, for images whose size is known only when they are decoded."""

import tensorflow as tf

from data_pipelines.schema import INTERVAL_STEPS, PATCH_SIDE, PATCH_VALUES
from data_pipelines.tokenizers.images import ImageFit


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """One PNG or JPEG string to uint8 [height, width, 3]; gray images are repeated over the channels."""
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def decode_equal(encoded: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Strings [n] of equally large pictures to uint8 [n, height, width, 3]; another size is an error.

    Unrolled: calling a decoder costs as much as decoding a small picture.
    """
    count = tf.size(encoded)
    # Filled up with the first picture, which is there whenever something is missing.
    filled = tf.concat([encoded, tf.fill([-count % _UNROLLED], tf.concat([encoded, [""]], axis=0)[0])], axis=0)

    def some(strings: tf.Tensor) -> tf.Tensor:
        return tf.stack([tf.ensure_shape(decode(one), [height, width, 3]) for one in tf.unstack(strings)])

    spec = tf.TensorSpec([_UNROLLED, height, width, 3], tf.uint8)
    pixels = tf.map_fn(some, tf.reshape(filled, [-1, _UNROLLED]), fn_output_signature=spec)
    return tf.reshape(pixels, [-1, height, width, 3])[:count]


def decode_raw(pixels: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Strings [n] of bare pixels to uint8 [n, height, width, 3]; another length is an error."""
    return tf.reshape(tf.io.decode_raw(pixels, tf.uint8), [-1, height, width, 3])


_UNROLLED = 16
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
    png_sizes = tf.where(is_png[:, None], tf.stack([height, width], axis=1), 0)

    def others() -> tf.Tensor:
        jpeg = tf.where(header[:, 0] == _JPEG)
        return tf.tensor_scatter_nd_update(png_sizes, jpeg, _jpeg_sizes(tf.gather_nd(encoded, jpeg)))

    return tf.cond(tf.reduce_all(is_png), lambda: png_sizes, others)


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


def patchify(frames: tf.Tensor, fit: ImageFit = ImageFit.PAD) -> tf.Tensor:
    """uint8 [n, height, width, 3] to uint8 [n, patches, 768], equal to `images.patchify`."""
    static, dynamic = frames.shape.as_list(), tf.shape(frames)
    height, width = (dynamic[axis] if static[axis] is None else static[axis] for axis in (1, 2))
    rows, columns = _count(height), _count(width)
    if fit is ImageFit.RESIZE:
        frames = tf.gather(frames, tf.range(rows * PATCH_SIDE) * height // (rows * PATCH_SIDE), axis=1)
        frames = tf.gather(frames, tf.range(columns * PATCH_SIDE) * width // (columns * PATCH_SIDE), axis=2)
    elif static[1] is None or static[2] is None or static[1] % PATCH_SIDE or static[2] % PATCH_SIDE:
        frames = tf.pad(frames, [[0, 0], [0, rows * PATCH_SIDE - height], [0, columns * PATCH_SIDE - width], [0, 0]])
    # Three values of a pixel move as one.
    cells = tf.reshape(frames, [-1, rows, PATCH_SIDE, columns, PATCH_SIDE * 3])
    return tf.reshape(tf.transpose(cells, [0, 1, 3, 2, 4]), [-1, rows * columns, PATCH_VALUES])


def _count(size: tf.Tensor) -> tf.Tensor:
    return -(-size // PATCH_SIDE)
