"""Pictures with captions: drawn, scanned, found in folders."""

import io
import itertools
import pathlib
import unicodedata

import matplotlib
import numpy as np
import pytest
from PIL import Image

from data_pipelines.suites.bundled import files, pictures

DEJAVU = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def pixels(example):
    with Image.open(io.BytesIO(example.picture)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        return np.asarray(picture)


def test_characters_are_drawn_with_their_names():
    drawn = list(itertools.islice(pictures.drawn(DEJAVU, size=44), 200))
    by_name = {example.captions[0]: pixels(example) for example in drawn}
    assert len(by_name) == 200
    assert "latin small letter a" in by_name
    for name, shown in by_name.items():
        assert unicodedata.lookup(name)
        assert shown.shape == (64, 64, 3)
        assert shown.min() < 128, name  # Something is drawn,
        border = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
        assert border.mean() > 150, name  # and mostly inside.
    assert (by_name["latin small letter b"] != by_name["latin small letter d"]).any()


def test_only_symbols():
    names = [example.captions[0] for example in itertools.islice(pictures.drawn(DEJAVU, size=44, kinds=("S",)), 9)]
    assert names[:4] == ["dollar sign", "plus sign", "less-than sign", "equals sign"]


@pytest.mark.skipif(
    not any(pathlib.Path(file).exists() for file in files.EMOJI_FONT), reason="Noto Color Emoji is not installed"
)
def test_emoji_have_colours():
    shown = {e.captions[0]: pixels(e).astype(int) for e in itertools.islice(pictures.emoji().train, 400)}
    assert len(shown) == 400
    assert max((picture.max(axis=2) - picture.min(axis=2)).max() for picture in shown.values()) > 100


def test_digits():
    pytest.importorskip("sklearn")
    bundle = pictures.digits()
    assert len(bundle.train) == 1797
    assert bundle.train[3].captions == ("a handwritten three",)
    shown = pixels(bundle.train[0])
    assert shown.shape == (*bundle.size, 3)
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert (shown[:8, :8] == shown[0, 0]).all()


def test_stamps(tmp_path):
    (tmp_path / "animals").mkdir()
    for name, side, text in (
        ("cat", (200, 100), "A cat.\nde.utf8=Eine Katze.\n"),
        ("dog", (30, 30), ""),
        ("cow", (9, 9), None),
    ):
        Image.new("RGBA", side, (255, 0, 0, 255)).save(tmp_path / "animals" / f"{name}.png")
        if text is not None:
            (tmp_path / "animals" / f"{name}.txt").write_text(text)
    (cat,) = pictures.stamps_in(tmp_path)
    assert cat.captions == ("A cat.",)
    shown = pixels(cat)
    assert shown.shape == (96, 96, 3)
    assert shown[48, 48].tolist() == [255, 0, 0]
    assert shown[5, 48].tolist() == [255, 255, 255]
