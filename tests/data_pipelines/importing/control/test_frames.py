"""Frames are stored as they are, or scaled as PIL scales them, whatever they were stored as."""

import io

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.control import Channels
from data_pipelines.importing.control.episodes import objects
from data_pipelines.importing.control.frames import FrameError, frame_size, stored_frames

SIZE = (32, 48)
STEPS = 3


def encoded(frames, form, mode=None):
    """Files of arrays, as a source has them."""
    files = []
    for frame in frames:
        buffer = io.BytesIO()
        image = Image.fromarray(frame)
        (image.convert(mode) if mode else image).save(buffer, form)
        files.append(buffer.getvalue())
    return objects(files)


def decoded(file):
    return np.asarray(Image.open(io.BytesIO(file)))


def scaled(picture):
    return np.asarray(picture.resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC))


RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (STEPS, 50, 70, 3), dtype=np.uint8)
GRAY = RGB[..., 0]
FOUR = np.concatenate([RGB, GRAY[..., None]], axis=-1)

SOURCES = {
    "raw": (RGB, [Image.fromarray(frame) for frame in RGB]),
    "raw gray": (GRAY, [Image.fromarray(frame) for frame in GRAY]),
    "raw gray with a channel": (GRAY[..., None], [Image.fromarray(frame) for frame in GRAY]),
    "PNG": (encoded(RGB, "png"), [Image.fromarray(frame) for frame in RGB]),
    "gray PNG": (encoded(GRAY, "png"), [Image.fromarray(frame) for frame in GRAY]),
    "JPEG": (encoded(RGB, "jpeg"), [Image.open(io.BytesIO(file)) for file in encoded(RGB, "jpeg")]),
    "gray JPEG": (encoded(GRAY, "jpeg"), [Image.open(io.BytesIO(file)) for file in encoded(GRAY, "jpeg")]),
    "PNG with a palette": (
        encoded(RGB, "png", "P"), [Image.fromarray(frame).convert("P").convert("RGB") for frame in RGB],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_scaled_frames_are_what_pil_makes_of_the_source(name):
    source, pictures = SOURCES[name]
    stored = stored_frames(source, SIZE, Channels.REFUSE, scale=True)
    assert len(stored) == STEPS
    for file, picture in zip(stored, pictures, strict=True):
        assert Image.open(io.BytesIO(file)).format == "PNG"
        np.testing.assert_array_equal(decoded(file), scaled(picture))
    with pytest.raises(FrameError, match=r"expected frames of 32x48 pixels, found 50x70; --frame-size scales all"):
        stored_frames(source, SIZE, Channels.REFUSE)


def test_channels_are_chosen_before_scaling():
    for channels, chosen in ((Channels.RGB, RGB), (Channels.NEWEST, GRAY)):
        for source in (FOUR, encoded(FOUR, "png")):
            for file, frame in zip(stored_frames(source, SIZE, channels, scale=True), chosen, strict=True):
                np.testing.assert_array_equal(decoded(file), scaled(Image.fromarray(frame)))


def test_frames_of_the_size_stay_as_they_are():
    for form in ("png", "jpeg"):
        files = encoded(RGB, form)
        assert stored_frames(files, (50, 70), Channels.REFUSE, scale=True) == list(files)
    for file, frame in zip(stored_frames(RGB, (50, 70), Channels.REFUSE, scale=True), RGB, strict=True):
        np.testing.assert_array_equal(decoded(file), frame)


def test_frames_of_several_sizes_become_one():
    files = objects([*encoded(RGB, "png"), *encoded(RGB[:, :32, :48], "png")])
    stored = stored_frames(files, SIZE, Channels.REFUSE, scale=True)
    assert {decoded(file).shape for file in stored} == {(*SIZE, 3)}
    assert stored[STEPS:] == list(files[STEPS:])


@pytest.mark.parametrize("form", ["png", "jpeg"])
@pytest.mark.parametrize("size", [SIZE, (50, 70)])
def test_a_frame_that_ends_too_early(form, size):
    """It is told of also where it would be stored as it is."""
    files = encoded(RGB, form)
    files[1] = files[1][: len(files[1]) // 2]
    with pytest.raises(FrameError, match=r"step 1: picture is broken \(OSError\)"):
        stored_frames(files, size, Channels.REFUSE, scale=True)


def test_frames_that_are_no_files():
    files = objects([*encoded(RGB, "png")[:2], b""])
    with pytest.raises(FrameError, match="step 2: expected a PNG or JPEG file, found 0 bytes that begin with b''"):
        stored_frames(files, (50, 70), Channels.REFUSE)


def test_frames_of_another_depth():
    deep = encoded(GRAY.astype(np.uint16) * 257, "png")
    message = r"step 0: expected frames of uint8, found 16 bits a value; scale them to 0 \.\.\. 255 at the source"
    with pytest.raises(FrameError, match=message):
        stored_frames(deep, SIZE, Channels.REFUSE, scale=True)
    with pytest.raises(FrameError, match="expected frames of uint8, found 16 bits a value"):
        frame_size(deep)


def test_four_inks_become_colours():
    files = encoded(np.full((1, 32, 48, 3), (255, 0, 0), np.uint8), "jpeg", "CMYK")
    assert frame_size(files) == (32, 48, 3)
    (file,) = stored_frames(files, SIZE, Channels.REFUSE)
    np.testing.assert_allclose(decoded(file), np.full((32, 48, 3), (255, 0, 0)), atol=2)


def test_turned_frames_are_stored_upright():
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    ramp = np.linspace(0, 255, 48 * 32).reshape(48, 32).astype(np.uint8)
    Image.fromarray(ramp).save(buffer, "jpeg", exif=exif, quality=95)
    files = objects([buffer.getvalue()])
    assert frame_size(files) == (32, 48, 1)
    (file,) = stored_frames(files, SIZE, Channels.REFUSE)
    assert decoded(file).shape == SIZE
    np.testing.assert_allclose(decoded(file).astype(int), np.rot90(ramp, -1), atol=4)
    assert not Image.open(io.BytesIO(file)).getexif(), "nobody turns it again"
