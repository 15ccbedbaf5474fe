"""Pictures with a caption: characters drawn from fonts with their Unicode names, digits, and stamps for children."""

import io
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_pipelines.suites.base.bundle import Bundle, Captioned
from data_pipelines.suites.bundled import files

SIDE, STAMP = 64, 96
"""Pixels of the sides of all pictures, and of stamps."""

_DRAWN = ("L", "N", "P", "S")
"""Categories of characters that can be seen and stand alone: letters, numbers, punctuation, symbols."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def symbols() -> Bundle:
    """Characters of DejaVu Sans, which comes with matplotlib: letters of many scripts, arrows, chessmen, dice, ..."""
    import matplotlib

    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return Bundle(list(drawn(font, size=44)), size=(SIDE, SIDE))


def emoji() -> Bundle:
    """Emoji of one character each, from Noto Color Emoji."""
    # The font holds pictures of one size, 136x128.
    return Bundle(list(drawn(files.find(files.EMOJI_FONT), size=109, kinds=("S",))), size=(SIDE, SIDE))


def drawn(font: Path, *, size: int, kinds: Iterable[str] = _DRAWN) -> Iterator[Captioned]:
    """Each character of a font that Unicode names, drawn on white, with its name in small letters.

    Args:
      font: TrueType file.
      size: of the letters, in pixels.
      kinds: first letters of Unicode's categories.
    """
    from matplotlib.ft2font import FT2Font

    pen, wanted = ImageFont.truetype(str(font), size), tuple(kinds)
    for code in sorted(FT2Font(str(font)).get_charmap()):
        character = chr(code)
        name = unicodedata.name(character, "")
        if not name or not unicodedata.category(character).startswith(wanted):
            continue
        left, top, right, bottom = pen.getbbox(character)
        if right <= left or bottom <= top:
            continue
        side = max(right - left, bottom - top, size)
        canvas = Image.new("RGB", (round(side), round(side)), "white")
        at = ((side - right - left) / 2, (side - bottom - top) / 2)
        ImageDraw.Draw(canvas).text(at, character, font=pen, fill="black", embedded_color=True)
        yield Captioned(_png(canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS)), (name.lower(),))


def digits() -> Bundle:
    """scikit-learn's handwritten digits, 8x8 pixels, each pixel as 8x8."""
    from sklearn.datasets import load_digits

    data = load_digits()
    scaled = (255 - data.images * 255 / 16).round().astype(np.uint8)
    shown = [Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST) for picture in scaled]
    return Bundle(
        [
            Captioned(_png(picture.convert("RGB")), (f"a handwritten {_DIGITS[digit]}",))
            for picture, digit in zip(shown, data.target, strict=True)
        ],
        size=(SIDE, SIDE),
    )


def stamps() -> Bundle:
    """Tux Paint's stamps: photographs and drawings, on white."""
    return Bundle(list(stamps_in(files.find(files.STAMPS))), size=(STAMP, STAMP))


def stamps_in(root: Path) -> Iterator[Captioned]:
    """PNG files with the text file beside them, whose first line says in English what they show."""
    for path in sorted(root.rglob("*.png")):
        text = path.with_suffix(".txt")
        if not text.is_file():
            continue
        caption = text.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0].strip()
        if not caption:
            continue
        with Image.open(path) as picture:
            shown = picture.convert("RGBA")
        shown.thumbnail((STAMP, STAMP))
        canvas = Image.new("RGB", (STAMP, STAMP), "white")
        canvas.paste(shown, ((STAMP - shown.width) // 2, (STAMP - shown.height) // 2), shown)
        yield Captioned(_png(canvas), (caption,))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
