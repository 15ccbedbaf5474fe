"""Settings of the whole test run, and the recorded data that its tests share."""

import fcntl
import os
import pathlib

import pytest

# Before anything imports dm_control: TensorFlow and an OpenGL renderer cannot share a process, and tests use both
# floors in one. What renders starts a process of its own.
os.environ["MUJOCO_GL"] = "disabled"

TASKS = ("babyai.go_to_obj", "babyai.go_to_red_ball_grey", "metaworld.drawer_close", "text.python_docs", "vqa.easy_vqa")
EPISODES = 12


@pytest.fixture(scope="session")
def recorded_data(tmp_path_factory, worker_id) -> pathlib.Path:
    """A small data directory: two BabyAI levels, one Meta-World task, text and picture questions."""
    from data_pipelines import recording

    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    out = base / "recorded_data"
    with (base / "recorded_data.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        recording.record(TASKS, out, workers=2, episodes=EPISODES, progress=lambda progress: None)
    return out
