"""One rule for every encoded picture: upright, 8 bits, gray or RGB (A), or refused by what it is."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.common import pictures
from data_pipelines.importing.common.pictures import PictureError, decode, header, opaque

HEIGHT, WIDTH = 20, 32
RGB = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GRAY = RGB[..., 0]
RAMP = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 102).astype(np.uint16)
RED, CLEAR = (255, 0, 0), (0, 0, 0, 0)


def encoded(picture, form="PNG", **options):
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, form, **options)
    return buffer.getvalue()


def turned(picture, orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture, form, exif=exif)


def deep_rgb():
    """A PNG with 16 bits a colour, which Pillow reads and does not write."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    values = np.repeat(RAMP[..., None], 3, axis=2).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


BITS = np.where(GRAY > 127, 255, 0).astype(np.uint8)
RGBA = np.dstack([RGB, GRAY])
PALETTE = Image.fromarray(RGB).convert("P")
CMYK = Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0))

KINDS = {
    "RGB": (encoded(RGB), RGB, 8, True),
    "gray": (encoded(GRAY), GRAY, 8, True),
    "JPEG": (encoded(RGB, "JPEG"), np.asarray(Image.open(io.BytesIO(encoded(RGB, "JPEG")))), 8, True),
    "gray JPEG": (encoded(GRAY, "JPEG"), np.asarray(Image.open(io.BytesIO(encoded(GRAY, "JPEG")))), 8, True),
    "BMP": (encoded(RGB, "BMP"), RGB, 8, False),
    "WebP": (encoded(RGB, "WEBP", lossless=True), RGB, 8, False),
    "1 bit": (encoded(Image.fromarray(BITS).convert("1")), BITS, 8, False),
    "palette": (encoded(PALETTE), np.asarray(PALETTE.convert("RGB")), 8, False),
    "CMYK JPEG": (encoded(CMYK, "JPEG", quality=100), np.full((HEIGHT, WIDTH, 3), RED), 8, False),
    "16 bits": (encoded(RAMP), RAMP >> 8, 16, False),
    "16 bits, TIFF": (encoded(RAMP, "TIFF"), RAMP >> 8, 16, False),
    "16 bits, PGM": (encoded(RAMP, "PPM"), RAMP >> 8, 16, False),
    "16 bits a colour": (deep_rgb(), np.repeat(RAMP[..., None] >> 8, 3, axis=2), 16, False),
    "alpha": (encoded(RGBA), RGBA, 8, False),
    "gray with alpha": (encoded(np.dstack([GRAY, GRAY])), np.dstack([GRAY] * 4), 8, False),
    "one colour that is clear": (
        encoded(Image.new("RGB", (WIDTH, HEIGHT), RED), transparency=RED), np.full((HEIGHT, WIDTH, 4), (*RED, 0)), 8,
        False,
    ),
    "an animation": (
        encoded(RGB, save_all=True, append_images=[Image.fromarray(255 - RGB)]), RGB, 8, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_becomes_of_each_kind(name):
    data, expected, bits, plain = KINDS[name]
    picture = decode(data)
    np.testing.assert_allclose(np.asarray(picture.image).astype(int), expected, atol=1 if name == "CMYK JPEG" else 0)
    assert (picture.bits, picture.plain, picture.data) == (bits, plain, data)
    channels = expected.shape[2] if expected.ndim == 3 else 1
    assert header(data) == pictures.Header(HEIGHT, WIDTH, channels, bits)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_become_upright(form, orientation):
    """The marked corner is where a viewer shows it, by the table of the EXIF standard."""
    shown = np.zeros((HEIGHT, WIDTH), np.uint8)
    shown[:8, :8] = 255
    stored = {
        1: shown, 2: shown[:, ::-1], 3: shown[::-1, ::-1], 4: shown[::-1], 5: shown.T, 6: np.rot90(shown),
        7: shown[::-1, ::-1].T, 8: np.rot90(shown, -1),
    }[orientation]  # fmt: skip
    data = turned(np.ascontiguousarray(stored), orientation, form)
    picture = decode(data)
    np.testing.assert_allclose(np.asarray(picture.image).astype(int), shown, atol=8)
    assert picture.plain == (orientation == 1)
    assert header(data) == pictures.Header(HEIGHT, WIDTH, 1, 8)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (encoded(RAMP.astype(np.int32), "TIFF"), "picture has 32-bit whole numbers, expected gray or colours of 8 or"),
        (encoded(RAMP.astype(np.float32), "TIFF"), "picture has floats, expected"),
        (encoded(Image.fromarray(RGB).convert("LAB"), "TIFF"), "picture has mode LAB, expected"),
        (encoded(RGB, "EPS"), r"picture is broken \(UnidentifiedImageError\)"),
        (b"", "picture is empty"),
        (b"no picture", r"picture is broken \(UnidentifiedImageError\)"),
    ],
)
def test_what_is_refused(data, says):
    for read in (decode, header):
        with pytest.raises(PictureError, match=says):
            read(data)


def test_a_decompression_bomb(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for read in (decode, header):
        with pytest.raises(PictureError, match="picture has too many pixels, as decompression bombs have"):
            read(encoded(GRAY))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_files_that_end_too_early(form):
    whole = encoded(RGB, form)
    for end in (*range(1, len(whole) - 40, 97), len(whole) - 40):
        with pytest.raises(PictureError, match="picture is broken"):
            decode(whole[:end])


def test_a_png_that_lacks_its_end_is_not_stored_as_it_is():
    """Pillow reads it, TensorFlow does not."""
    whole = encoded(RGB)
    for cut in (4, 12):
        picture = decode(whole[:-cut])
        assert not picture.plain
        np.testing.assert_array_equal(np.asarray(picture.image), RGB)


def test_what_is_transparent_lies_on_white():
    image = Image.new("RGBA", (2, 1), (*RED, 255))
    image.putpixel((1, 0), CLEAR)
    assert [opaque(image).getpixel((x, 0)) for x in range(2)] == [RED, (255, 255, 255)]
    assert opaque(Image.fromarray(GRAY)).mode == "L"
