"""Frames of an episode as they are stored: RGB or gray PNG or JPEG files of one size. No TensorFlow."""

import io

import numpy as np
from PIL import Image

from data_pipelines.importing.common.pictures import resized
from data_pipelines.importing.control.episodes import is_encoded_image
from data_pipelines.importing.control.options import Channels


class FrameError(ValueError):
    """A frame that cannot be stored; the message says what was found and what would help."""


def frame_size(values: np.ndarray) -> tuple[int, int, int]:
    """Height, width and channels of the first of [T, ...] frames, raw or encoded; only a file's header is read."""
    if values.dtype == object:
        with _opened(values[0]) as image:
            return image.height, image.width, len(image.getbands())
    height, width = values.shape[1:3]
    return height, width, values.shape[3] if values.ndim == 4 else 1


def stored_frames(values: np.ndarray, size: tuple[int, int], channels: Channels, *, scale: bool = False) -> list[bytes]:
    """Frames as PNG; files of that size that are PNG or JPEG with one or three channels of 8 bits stay byte for byte.

    Args:
      values: uint8 [T, height, width (, 1, 3 or 4)], or [T] encoded files.
      size: height and width that all of them must have, or are scaled to.
      channels: what becomes of frames with four channels.
      scale: whether frames of another size are scaled, or an error.

    Raises:
      FrameError: another size, number of channels or depth; a broken file.
    """
    return [_stored(value, size, channels, scale) for value in values]


def _stored(value: bytes | np.ndarray, size: tuple[int, int], channels: Channels, scale: bool) -> bytes:
    if isinstance(value, bytes):
        with _opened(value) as opened:
            if (opened.height, opened.width) == size and opened.mode in ("L", "RGB"):
                return value
            try:
                array = np.asarray(opened.convert("RGB") if opened.mode in ("1", "P") else opened)
            except (OSError, SyntaxError) as error:
                raise FrameError(f"a frame's file is broken ({type(error).__name__})") from error
    else:
        array = np.asarray(value)
    if array.dtype != np.uint8:
        raise FrameError(f"expected frames of uint8, found {array.dtype}")
    _check_size(array.shape[:2], size, scale)
    image = Image.fromarray(_channels(array, channels))
    if array.shape[:2] != size:
        image = resized(image, *size)
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def _check_size(found: tuple[int, ...], size: tuple[int, int], scale: bool) -> None:
    if found != size and not scale:
        raise FrameError(
            f"expected frames of {size[0]}x{size[1]} pixels, found {found[0]}x{found[1]}; --frame-size scales all of "
            "them to one size"
        )


def _channels(array: np.ndarray, channels: Channels) -> np.ndarray:
    """[height, width] or [height, width, 3] that holds what is to be seen."""
    count = array.shape[2] if array.ndim == 3 else 1
    if count == 1:
        return array.reshape(array.shape[:2])
    if count == 3:
        return array
    if count == 4 and channels is Channels.RGB:
        return array[..., :3]
    if count == 4 and channels is Channels.NEWEST:
        return array[..., 3]
    raise FrameError(
        f"expected frames with 1 or 3 channels, found {count}"
        + ("; --channels rgb (the first three) or newest (the last of four stacked frames)" if count == 4 else "")
    )


def _opened(data: bytes) -> Image.Image:
    if not is_encoded_image(data):
        raise FrameError(f"expected a PNG or JPEG file, found {len(data)} bytes that begin with {data[:8]!r}")
    try:
        return Image.open(io.BytesIO(data))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise FrameError(f"a frame's file is broken ({type(error).__name__})") from error
