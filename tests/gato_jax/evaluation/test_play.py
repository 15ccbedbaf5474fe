"""Where `gato play` writes."""

from pathlib import Path

import pytest

from gato_jax.evaluation.play import check_destination


@pytest.mark.parametrize(
    ("out", "episodes", "message"),
    [
        ("x.mp4", 1, r"x\.mp4: films are written as \.gif; expected a directory, or a file that ends in \.gif"),
        ("x.PNG", 1, r"x\.PNG: films are written as \.gif"),
        ("x.gif", 2, "one file holds one episode, found --episodes 2"),
    ],
)
def test_refused(out, episodes, message):
    with pytest.raises(ValueError, match=message):
        check_destination(Path(out), episodes)


def test_a_file_in_the_place_of_a_directory(tmp_path):
    (tmp_path / "notes").write_text("")
    with pytest.raises(ValueError, match="found a file"):
        check_destination(tmp_path / "notes", 1)


@pytest.mark.parametrize("out", ["play", "run.v2", "x.gif", "."])
def test_accepted(out):
    check_destination(Path(out), 1)
