"""Frames are stored as they are, or scaled as PIL scales them, whatever they were stored as."""

import io

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.control import Channels
from data_pipelines.importing.control.episodes import objects
from data_pipelines.importing.control.frames import FrameError, stored_frames

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
def test_a_frame_that_ends_too_early(form):
    file = encoded(RGB, form)[0]
    with pytest.raises(FrameError, match=r"a frame's file is broken \(OSError\)"):
        stored_frames(objects([file[: len(file) // 2]]), SIZE, Channels.REFUSE, scale=True)


def test_frames_of_another_depth():
    deep = encoded(GRAY.astype(np.uint16) * 257, "png")
    with pytest.raises(FrameError, match=r"expected frames of uint8, found (uint16|int32)"):
        stored_frames(deep, SIZE, Channels.REFUSE, scale=True)
