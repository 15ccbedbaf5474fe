"""Frames of an episode as they are stored: RGB or gray PNG or JPEG files of one size. No TensorFlow."""

import io

import numpy as np
from PIL import Image

from data_pipelines.importing.common import pictures
from data_pipelines.importing.control.episodes import is_encoded_image
from data_pipelines.importing.control.options import Channels


class FrameError(ValueError):
    """A frame that cannot be stored; the message says what was found and what would help."""


def frame_size(values: np.ndarray) -> tuple[int, int, int]:
    """Height, width and channels of the first of [T, ...] frames, raw or encoded; only a file's header is read.

    Raises:
      FrameError: an encoded frame that is no PNG or JPEG file, or of more than 8 bits.
    """
    if values.dtype == object:
        try:
            header = pictures.header(_file(values[0]))
        except pictures.PictureError as error:
            raise FrameError(f"step 0: {error}") from error
        _check_bits(header.bits)
        return header.height, header.width, header.channels
    height, width = values.shape[1:3]
    return height, width, values.shape[3] if values.ndim == 4 else 1


def check_frames(values: np.ndarray) -> None:
    """Decodes [T] encoded frames. Raises `FrameError` naming the step of the first that could not be stored."""
    for step, value in enumerate(values):
        try:
            _check_bits(pictures.decode(_file(value)).bits)
        except (FrameError, pictures.PictureError) as error:
            raise FrameError(f"step {step}: {error}") from error


def stored_frames(values: np.ndarray, size: tuple[int, int], channels: Channels, *, scale: bool = False) -> list[bytes]:
    """Frames as PNG; whole files of that size that are upright PNG or JPEG, gray or RGB of 8 bits, stay as they are.

    Every file is decoded, so what is stored can be read.

    Args:
      values: uint8 [T, height, width (, 1, 3 or 4)], or [T] encoded files.
      size: height and width that all of them must have, or are scaled to.
      channels: what becomes of frames with four channels.
      scale: whether frames of another size are scaled, or an error.

    Raises:
      FrameError: naming the step; another size, number of channels or depth; a broken file.
    """
    frames = []
    for step, value in enumerate(values):
        try:
            frames.append(_stored(value, size, channels, scale))
        except (FrameError, pictures.PictureError) as error:
            raise FrameError(f"step {step}: {error}") from error
    return frames


def _stored(value: bytes | np.ndarray, size: tuple[int, int], channels: Channels, scale: bool) -> bytes:
    if isinstance(value, np.ndarray):
        array = value
    else:
        decoded = pictures.decode(_file(value))
        _check_bits(decoded.bits)
        if decoded.plain and (decoded.image.height, decoded.image.width) == size:
            return value
        array = np.asarray(decoded.image)
    if array.dtype != np.uint8:
        raise FrameError(f"expected frames of uint8, found {array.dtype}")
    _check_size(array.shape[:2], size, scale)
    image = Image.fromarray(_channels(array, channels))
    if array.shape[:2] != size:
        image = pictures.resized(image, *size)
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def _check_size(actual: tuple[int, ...], size: tuple[int, int], scale: bool) -> None:
    if actual != size and not scale:
        raise FrameError(
            f"expected frames of {size[0]}x{size[1]} pixels, found {actual[0]}x{actual[1]}; --frame-size scales all of "
            "them to one size"
        )


def _check_bits(bits: int) -> None:
    # Pictures of captions keep the upper half. A depth camera's millimetres would become nearly black.
    if bits > 8:
        raise FrameError(f"expected frames of uint8, found {bits} bits a value; scale them to 0 ... 255 at the source")


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


def _file(data: object) -> bytes:
    if not is_encoded_image(data):
        actual = f"{len(data)} bytes that begin with {data[:8]!r}" if isinstance(data, bytes) else type(data).__name__
        raise FrameError(f"expected a PNG or JPEG file, found {actual}")
    assert isinstance(data, bytes)
    return data
