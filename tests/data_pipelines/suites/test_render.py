"""Frames come from a process of their own, which may fail without taking this one along."""

import numpy as np
import pytest

from data_pipelines.suites import render

ACTIONS = np.array([2, 2, 1, 2], np.int32)


def test_symbolic_worlds_need_no_opengl():
    frames = render.replay("babyai.go_to_obj", 3, ACTIONS, every=2, size=64).frames
    assert frames.shape == (3, 64, 64, 3)
    assert frames.dtype == np.uint8
    assert (frames[0] != frames[-1]).any()


@pytest.mark.parametrize("task", ["dm_control.cartpole_balance", "metaworld.drawer_close"])
def test_simulators_draw_where_opengl_is(task):
    actions = np.ones((3, 1 if "cartpole" in task else 4), np.float32)
    replay = render.replay(task, 3, actions, size=48)
    if replay.frames is None:
        pytest.skip(replay.reason)
    assert replay.frames.shape == (4, 48, 48, 3)
    assert replay.frames.std() > 5


def test_no_opengl_is_a_reason_and_not_a_crash(monkeypatch):
    monkeypatch.setenv("GATO_RENDERER", "disabled")
    replay = render.replay("dm_control.cartpole_balance", 0, np.zeros((1, 1), np.float32), size=32)
    assert replay.frames is None
    assert "dm_control.cartpole_balance" in replay.reason


def test_sources_without_a_world_say_so():
    assert "no environment" in render.replay("text.python_docs", 0, []).reason


def test_bad_sizes():
    with pytest.raises(ValueError, match="found 0 and 64"):
        render.replay("babyai.go_to_obj", 0, ACTIONS, every=0, size=64)
