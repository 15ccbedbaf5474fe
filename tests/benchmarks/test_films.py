"""Films: all frames share one palette, and the world is played, not drawn here."""

import numpy as np
from PIL import Image

from benchmarks import films


def test_frames_share_the_colours_of_all_of_them():
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ((200, 0, 0), (0, 0, 200)))
    small = films.with_one_palette([red, blue])
    assert small[0].getpalette() == small[1].getpalette()
    for before, after in zip((red, blue), small, strict=True):
        assert np.abs(np.asarray(after.convert("RGB"), int) - np.asarray(before, int)).max() < 8


def test_a_film_has_a_frame_for_the_start_and_one_every_few_steps(monkeypatch):
    """Without OpenGL: the environment's pictures are replaced by grey ones."""
    from data_pipelines.suites.dm_control.environment import DmControlEnvironment

    monkeypatch.setattr(DmControlEnvironment, "render", lambda self, size: np.full((size, size, 3), 90, np.uint8))
    frames, seconds, total = films.film("dm_control.finger_spin", seed=0, size=16, steps=10, every=4)
    assert [frame.size for frame in frames] == [(16, 16)] * 3
    assert seconds == 4 * 0.02
    assert 0.0 <= total <= 10.0
