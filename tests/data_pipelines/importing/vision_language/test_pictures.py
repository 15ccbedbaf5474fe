"""Pictures as they are stored: sizes, aspect, what is refused."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data_pipelines.importing.common.pictures import PictureError
from data_pipelines.importing.vision_language.pictures import (
    Encoding,
    Fit,
    PictureConfig,
    store,
    stored_size,
)


def opened(stored):
    with Image.open(io.BytesIO(stored.data)) as image:
        assert image.size == (stored.width, stored.height)
        return image.format, np.asarray(image.convert("RGB"))


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from(list(Fit)), st.sampled_from([16, 64, 224]))
def test_sizes_are_whole_patches_and_bounded(width, height, fit, size):
    sides = stored_size(width, height, PictureConfig(size=size, fit=fit))
    assert all(side > 0 and side % 16 == 0 for side in sides)
    if fit in (Fit.CROP, Fit.STRETCH):
        assert sides == (size, size)
        return
    assert (max if fit is Fit.LONG else min)(sides) <= size
    scale = min(1, size / (max(width, height) if fit is Fit.LONG else min(width, height)))
    assert all(abs(side - max(16, original * scale)) <= 8 for side, original in zip(sides, (width, height)))


def test_fits(sources):
    image = np.zeros((60, 120, 3), np.uint8)
    image[:, 60:] = 255
    data = sources.encoded(image)
    kind, long = opened(store(data, PictureConfig(size=64, fit=Fit.LONG)))
    assert (kind, long.shape) == ("JPEG", (32, 64, 3))
    assert long[:, :24].max() < 40
    assert long[:, -24:].min() > 215
    _, short = opened(store(data, PictureConfig(size=32, fit=Fit.SHORT)))
    assert short.shape == (32, 64, 3)
    _, crop = opened(store(data, PictureConfig(size=48, fit=Fit.CROP, encoding=Encoding.PNG)))
    assert crop.shape == (48, 48, 3)
    assert (crop[:, :16].max(), crop[:, -16:].min()) == (0, 255)
    kind, stretch = opened(store(data, PictureConfig(size=48, fit=Fit.STRETCH, encoding=Encoding.PNG)))
    assert (kind, stretch.shape) == ("PNG", (48, 48, 3))


def test_a_picture_of_the_right_size_is_kept_byte_for_byte(sources):
    for kind in ("PNG", "JPEG"):
        data = sources.encoded(sources.pixels(1, 32, 48), kind)
        assert store(data, PictureConfig()).data == data


def test_gray_palette_and_turned_pictures_become_upright_rgb():
    gray = io.BytesIO()
    Image.fromarray(np.full((16, 32), 77, np.uint8)).save(gray, "PNG")
    _, pixels = opened(store(gray.getvalue(), PictureConfig(encoding=Encoding.PNG)))
    np.testing.assert_array_equal(pixels, np.full((16, 32, 3), 77))
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((32, 16, 3), np.uint8)).save(turned, "JPEG", exif=exif)
    stored = store(turned.getvalue(), PictureConfig())
    assert (stored.height, stored.width) == (16, 32)
    assert stored.patches == 2


def test_sixteen_bits_keep_their_upper_half():
    ramp = (np.arange(64 * 64).reshape(64, 64) * 16).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "PNG")
    _, pixels = opened(store(file.getvalue(), PictureConfig(encoding=Encoding.PNG)))
    np.testing.assert_array_equal(pixels, np.repeat(ramp[..., None] >> 8, 3, axis=2))


def test_what_is_clear_is_white():
    file = io.BytesIO()
    Image.new("RGBA", (32, 16), (255, 0, 0, 0)).save(file, "PNG")
    _, pixels = opened(store(file.getvalue(), PictureConfig(encoding=Encoding.PNG)))
    np.testing.assert_array_equal(pixels, np.full((16, 32, 3), 255))


def test_what_is_refused(sources, tmp_path):
    whole = sources.encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    for data, config, reason in [
        (whole[:-2000], PictureConfig(), "picture is broken"),
        (b"no picture", PictureConfig(), "picture is broken"),
        (b"", PictureConfig(), "picture is empty"),
        (tmp_path / "none.png", PictureConfig(), "picture file is missing"),
        (whole, PictureConfig(min_side=65), "picture has a side under 65 pixels"),
        (whole, PictureConfig(max_patches=15), "picture has more than 15 patches"),
    ]:
        with pytest.raises(PictureError, match=reason):
            store(data, config)
    with pytest.raises(ValueError, match="size must be a positive multiple of 16, found 50"):
        PictureConfig(size=50)
    with pytest.raises(ValueError, match="max_patches = 100 leaves out every square of 224 pixels, which has 196"):
        PictureConfig(fit=Fit.CROP, max_patches=100)
