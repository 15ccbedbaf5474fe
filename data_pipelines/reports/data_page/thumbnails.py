"""Recorded frames and pictures, made small enough for a page."""

import base64
import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

_SMOOTH = 96
"""Pixels of a side up to which a picture is kept as it is, bit for bit."""


def data_uri(file: bytes, side: int) -> str:
    """A picture file for `src`, at most `side` pixels high and wide.

    Raises:
      ValueError: the file is no picture.
    """
    try:
        with Image.open(io.BytesIO(file)) as picture:
            small, format = picture.convert("RGB"), picture.format
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"a picture is broken: {error}") from error
    if max(small.size) <= min(side, _SMOOTH) and format in ("PNG", "JPEG") and len(file) <= side * side // 2:
        return _uri(file, format.lower())
    small.thumbnail((side, side))
    return _jpeg(small)


def pixels_uri(pixels: UInt8[np.ndarray, "height width 3"]) -> str:
    """A drawn frame for `src`."""
    return _jpeg(Image.fromarray(pixels))


def _jpeg(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return _uri(buffer.getvalue(), "jpeg")


def _uri(file: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"
