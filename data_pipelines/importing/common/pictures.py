"""Encoded pictures, decoded to upright ones of 8 bits, or refused by what they are; and brought to a size.

One rule for every import:

| as the file has it | becomes |
|---|---|
| gray or RGB of up to 8 bits | gray or RGB |
| 1 bit | gray, 0 and 255 |
| palette, CMYK, YCbCr | RGB, by Pillow's formulas, without colour profiles |
| 16 bits | the upper eight of them: 65,535 is white, as the formats have it |
| transparency of any kind | RGBA; whoever asked decides what lies behind |
| turned (EXIF) | upright |
| several frames | the first |
| 32-bit whole numbers, floats, LAB and the like | refused: nothing says which number is white |

No TensorFlow.
"""

import contextlib
import dataclasses
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps

from data_pipelines.importing.common.source_files import POINTER, is_pointer

_MODES = {
    "1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB",
    "LA": "RGBA", "PA": "RGBA", "RGBA": "RGBA",
    "I;16": "L", "I;16L": "L", "I;16B": "L",
}  # fmt: skip
"""Mode of a file as Pillow opens it -> mode that it becomes. All others are refused."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""Only these are opened: Pillow would give an EPS file of a stranger to Ghostscript, which runs it."""

_SIXTEEN = ("PNG", "PPM")
"""Formats whose mode "I" has 16 bits."""

_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_PNG_BITS = 24
"""Where a PNG file says how many bits a value has."""

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
"""Pillow does without it, other decoders do not."""


class PictureError(ValueError):
    """A picture that cannot be used; the message is a few words that many such pictures share."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says of its picture.

    Args:
      height, width: in pixels, when it is upright.
      channels: 1, 3, or 4 with transparency.
      bits: of a value; 8 where there are fewer.
    """

    height: int
    width: int
    channels: int
    bits: int


@dataclasses.dataclass(frozen=True, eq=False)
class Decoded:
    """A whole picture.

    Args:
      image: upright, 8 bits, mode "L", "RGB" or "RGBA".
      bits: of a value in the file.
      plain: whether the file is a PNG or JPEG in which every decoder sees these very pixels, so that it can be stored
        as it is.
      data: the file.
    """

    image: Image.Image
    bits: int
    plain: bool
    data: bytes


def header(data: bytes) -> Header:
    """Size and kind of an encoded picture, whose pixels may still be broken. Raises `PictureError`."""
    with _opened(data) as image:
        mode, bits = _mode(image, data)
        width, height = image.size[:: -1 if _turned(image) in _SIDEWAYS else 1]
    return Header(height, width, len(mode) if mode != "L" else 1, bits)


def decode(data: bytes) -> Decoded:
    """An encoded picture, all of its pixels. Raises `PictureError` when it is broken, or of a kind that is refused."""
    with _opened(data) as image:
        mode, bits = _mode(image, data)
        image.load()
        is_png = image.format == "PNG"
        plain = (
            (is_png or image.format == "JPEG")
            and image.mode == mode != "RGBA"
            and _turned(image) == 1
            and not getattr(image, "is_animated", False)
            and (not is_png or (data[_PNG_BITS] == 8 and data.endswith(_PNG_END)))
        )
        upright = image if plain else ImageOps.exif_transpose(image)
        if mode == "L" and bits == 16:
            upright = Image.fromarray((np.asarray(upright).astype(np.uint16) >> 8).astype(np.uint8))
        return Decoded(upright.convert(mode), bits, plain, data)


def opaque(image: Image.Image) -> Image.Image:
    """The picture, on white where it is transparent."""
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def resized(image: Image.Image, height: int, width: int) -> Image.Image:
    """The whole picture scaled to that size, whatever its aspect; bicubic, antialiased where it shrinks."""
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _mode(image: Image.Image, data: bytes) -> tuple[str, int]:
    """Mode that a picture becomes, and its bits."""
    mode = "I;16" if image.mode == "I" and image.format in _SIXTEEN else image.mode
    if mode not in _MODES:
        kind = {"I": "32-bit whole numbers", "F": "floats"}.get(mode, f"mode {mode}")
        raise PictureError(f"picture has {kind}, expected gray or colours of 8 or 16 bits")
    deep = mode.startswith("I;16") or (image.format == "PNG" and data[_PNG_BITS] == 16)
    transparent = "transparency" in image.info and not mode.startswith("I;16")
    return "RGBA" if transparent else _MODES[mode], 16 if deep else 8


def _turned(image: Image.Image) -> int:
    return image.getexif().get(_ORIENTATION, 1)


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    if not data:
        raise PictureError("picture is empty")
    if is_pointer(data):
        raise PictureError(f"picture is a {POINTER}")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            yield image
    except (PictureError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise PictureError("picture has too many pixels, as decompression bombs have") from error
    except Exception as error:
        # Pillow's parsers raise whatever they run into: OSError, SyntaxError, struct.error, KeyError, ...
        raise PictureError(f"picture is broken ({type(error).__name__})") from error
