"""Tasks whose observations are drawn are recorded, though TensorFlow writes the files and may not meet OpenGL."""

import json

import numpy as np
import pytest

from data_pipelines import recording
from data_pipelines.recording.job import Job
from data_pipelines.recording.player import Player
from data_pipelines.recording.players import LocalPlayer, open_player
from data_pipelines.recording.worker import _PLAYERS, run_job
from data_pipelines.spec import World
from data_pipelines.suites import render
from data_pipelines.suites.outside.objects import WorldError
from data_pipelines.suites.outside.process import renderer

TASK = "dm_control_pixels.reacher_easy"
STEPS = 6

needs_renderer = pytest.mark.skipif(renderer() == "disabled", reason="no EGL is installed, so nothing can be drawn")


def test_a_task_that_draws_nothing_is_played_here():
    assert isinstance(open_player("babyai.go_to_obj"), LocalPlayer)


@needs_renderer
def test_pictures_are_recorded_and_are_those_of_the_films(tmp_path):
    import tensorflow_datasets as tfds

    job = Job(TASK, 0, 2, str(tmp_path), "", attempts=2, bar=None, steps=STEPS)
    result = run_job(job, lambda message: None)
    assert (result["kept"], result["rejected"]) == (2, {})
    assert isinstance(_PLAYERS.get(job), Player)
    _PLAYERS.close(job)
    spec = json.loads(result["spec"])
    assert [(item["key"], item["kind"], item["shape"]) for item in spec["observation"]] == [
        ("pixels", "image", [64, 64, 3])
    ]
    builder = tfds.builder_from_directory(next(tmp_path.glob("**/features.json")).parent)
    episodes = list(tfds.as_numpy(builder.as_dataset(split="train")))
    assert len(episodes) == 2
    steps = list(episodes[0]["steps"])
    pictures = np.stack([step["observation"]["pixels"] for step in steps])
    actions = np.stack([step["action"] for step in steps[:-1]])
    assert pictures.shape == (STEPS + 1, 64, 64, 3)
    assert pictures.std() > 5
    film = render.replay(TASK, int(episodes[0]["seed"]), actions, size=64)
    np.testing.assert_array_equal(pictures, film.frames)


@needs_renderer
def test_pictures_of_another_size_are_a_world_of_their_own():
    folder = "data_pipelines.suites.dm_control_pixels"
    world = World(f"{folder}.environment:make", {"task": "reacher_easy", "size": 128})
    with Player(world, f"{folder}.expert:StateExpert") as player:
        assert player.spec.name == "dm_control_pixels_128.reacher_easy"
        assert player.spec.observation[0].shape == (128, 128, 3)
        assert player.probe() == []


def test_a_missing_renderer_is_one_error_before_anything_is_recorded(monkeypatch, tmp_path):
    monkeypatch.setenv("GATO_RENDERER", "disabled")
    with pytest.raises(WorldError, match=r"reacher_easy' draws its observations.*'disabled'.*GATO_RENDERER"):
        recording.record([TASK], tmp_path, workers=1, progress=lambda progress: None)
    assert not list(tmp_path.glob("**/chunk-*"))
