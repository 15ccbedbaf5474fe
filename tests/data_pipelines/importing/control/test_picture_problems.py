"""Sizes of frames: what an import says, refuses, writes down, reuses and goes on with."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.check import check_data
from data_pipelines.importing.control import (
    ControlOptions,
    ImportingError,
    SourceError,
    control_options,
    import_data,
    open_source,
)
from data_pipelines.importing.control.episodes import Demonstration, SourceSpec, objects
from data_pipelines.importing.control.problems import survey_problems
from data_pipelines.importing.control.survey import Survey
from data_pipelines.recording import RecordingError
from data_pipelines.storage.recorded_tasks import read_task
from gato_jax import cli

QUIET = {"progress": lambda progress: None}


def save(path, shapes, *, episodes=2, steps=3, seed=0):
    """Npz files with pictures of these shapes, a position and a reward."""
    path.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(episodes):
        arrays = {
            f"observation/{key}": rng.integers(0, 256, (steps + 1, *shape), dtype=np.uint8)
            for key, shape in shapes.items()
        }
        arrays["observation/pos"] = rng.normal(size=(steps + 1, 2)).astype(np.float32)
        action = rng.uniform(-1, 1, (steps, 1)).astype(np.float32)
        np.savez(path / f"{number:03d}.npz", action=action, reward=np.ones(steps), **arrays)
    return path


def imported(source, data, *, task="toy.task", **options):
    settings = {key: options.pop(key) for key in ("chunk", "progress") if key in options}
    return import_data(source, data, task, format="npz", options=control_options(**options), **{**QUIET, **settings})


def shapes(data, task="toy.task"):
    return {item.key: item.shape for item in read_task(data, task).spec.observation}


def frames(data, column, task="toy.task"):
    """Pictures of each stored episode."""
    reader = open_source(data / task, "rlds", ControlOptions())
    for raw in reader.episodes(0, reader.layout.columns):
        yield [np.asarray(Image.open(io.BytesIO(file))) for file in raw.columns[f"observation/{column}"]]


def test_one_size_for_all_pictures(tmp_path):
    source = save(tmp_path / "source", {"front": (40, 60, 3), "wrist": (30, 30)})
    summary = imported(source, tmp_path / "data", frame_size=("32x48",))
    assert shapes(tmp_path / "data") == {"front": (32, 48, 3), "wrist": (32, 48, 3), "pos": (2,)}
    assert summary.observation["front"] == "image [32, 48, 3]"
    assert "note: 'front': frames of 40x60 pixels are scaled to 32x48, 6 patches" in summary.notes
    assert (
        "note: 'wrist': frames of 30x30 pixels are scaled to 32x48, 6 patches; the aspect is not kept" in summary.notes
    )
    assert not any("multiples" in note for note in summary.notes)
    for number, stored_frame in enumerate(frames(tmp_path / "data", "front")):
        raw = np.load(source / f"{number:03d}.npz")["observation/front"]
        expected = [np.asarray(Image.fromarray(frame).resize((48, 32), Image.Resampling.BICUBIC)) for frame in raw]
        np.testing.assert_array_equal(stored_frame, expected)
    assert not check_data(tmp_path / "data").errors


def test_a_size_for_each_key(tmp_path):
    source = save(tmp_path / "source", {"front": (40, 60, 3), "wrist": (32, 32, 3), "top": (16, 16, 3)})
    summary = imported(source, tmp_path / "data", frame_size=("front", "20x30", "wrist", "32x32"))
    assert shapes(tmp_path / "data") == {"front": (20, 30, 3), "wrist": (32, 32, 3), "top": (16, 16, 3), "pos": (2,)}
    about = [note for note in summary.notes if "pixels" in note]
    assert about == [
        "note: 'front': 20x30 pixels are no multiples of 16 -> tokens.image_fit pads or stretches them to the next one",
        "note: 'front': frames of 40x60 pixels are scaled to 20x30, 4 patches",
    ]


def test_episodes_of_several_sizes(tmp_path):
    save(tmp_path / "source", {"front": (40, 60, 3)}, episodes=2)
    source = save(tmp_path / "source", {"front": (32, 48, 3)}, episodes=1)
    with pytest.raises(ImportingError, match=r"'front': expected one shape, .* --frame-size scales pictures to one"):
        imported(source, tmp_path / "data")
    summary = imported(source, tmp_path / "data", frame_size=("32x48",))
    assert "note: 'front': frames of 32x48 and 40x60 pixels are scaled to 32x48, 6 patches" in summary.notes
    source = save(tmp_path / "source", {"front": (32, 48)}, episodes=1)
    with pytest.raises(ImportingError, match=r"'front': expected one shape, found \[\(32, 48, 1\), \(40, 60, 3\)\]"):
        imported(source, tmp_path / "data", task="toy.gray", frame_size=("32x48",))


def test_frames_that_fill_the_window(tmp_path):
    source = save(tmp_path / "source", {"a": (512, 640, 3)}, steps=1)
    summary = imported(source, tmp_path / "data")
    notes = [note for note in summary.notes if "patches" in note]
    assert notes == [
        "warning: a timestep has 1,280 patches (a 512x640), and the paper's context is 1,024 tokens for everything -> "
        "import smaller frames: --frame-size 256x320, or other multiples of 16"
    ]
    cameras = save(tmp_path / "cameras", {key: (250, 250) for key in "abcd"}, steps=1)
    summary = imported(cameras, tmp_path / "data", task="toy.cameras", frame_size=("256x256",))
    assert any("1,024 patches (a 256x256, b" in note and "--frame-size 128x128" in note for note in summary.notes)
    summary = imported(cameras, tmp_path / "data", task="toy.small", frame_size=("128x128",))
    assert not any(note.startswith("warning: a timestep") for note in summary.notes)


def test_sizes_that_are_none():
    for word in ("224", "-16x32", "16.5x32", "224x320x3", "224X320", ""):
        for words in ([word], ["image", word]):
            with pytest.raises(ValueError, match=f"frame_size: expected HEIGHTxWIDTH in whole pixels.*found '{word}'"):
                control_options(frame_size=words)
    message = "frame_size: expected height and width in whole pixels, at least 1, found"
    with pytest.raises(ValueError, match=rf"{message} \(0, 320\)$"):
        control_options(frame_size=["0x320"])
    with pytest.raises(ValueError, match=rf"{message} \(16, 0\) for 'image'$"):
        control_options(frame_size=["image", "16x0"])
    with pytest.raises(ValueError, match=r"frame_size: expected one size \(HxW\), or a size for each key"):
        control_options(frame_size=["image", "32x32", "wrist"])
    for size in ((0, 3), (1, 2, 3), (2.0, 3), {"image": (-1, 3)}):
        with pytest.raises(ValueError, match=message):
            ControlOptions(frame_size=size)
    assert control_options(frame_size=()).frame_size is None


def test_sizes_for_what_is_no_picture(tmp_path):
    source = save(tmp_path / "source", {"front": (40, 60, 3)})
    with pytest.raises(SourceError, match=r"frame_size: no observation keys \['back'\], found \['front', 'pos'\]"):
        imported(source, tmp_path / "data", frame_size=("back", "32x32"))
    assert not (tmp_path / "data").exists()
    message = r"'pos': --frame-size expects a picture, found continuous values -> pictures are \['front'\]"
    with pytest.raises(ImportingError, match=message):
        imported(source, tmp_path / "data", frame_size=("front", "32x32", "pos", "32x32"))
    message = r"error: --frame-size expects a source with pictures, found \{'pos': 'continuous'\}"
    with pytest.raises(ImportingError, match=message):
        imported(source, tmp_path / "data", leave_out=("front",), frame_size=("32x32",))
    assert not list((tmp_path / "data").rglob("*.tfrecord*"))
    assert not (tmp_path / "data" / "toy.task").exists()
    report = check_data(source, format="npz", options=ControlOptions(leave_out=("front",), frame_size=(32, 32)))
    assert report.errors == 1
    assert "--frame-size expects a source with pictures" in report.text()


def test_the_size_is_a_setting(tmp_path):
    source, data = save(tmp_path / "source", {"front": (40, 60, 3)}), tmp_path / "data"

    def options(task="toy.task"):
        return json.loads((data / task / "recording.json").read_text())["settings"]["options"]

    imported(source, data, frame_size=("32x48",))
    assert options()["frame_size"] == [32, 48]
    assert imported(source, data, frame_size=("32x48",)).reused
    for other in ((), ("48x48",), ("front", "32x48")):
        with pytest.raises(RecordingError, match="recorded with other settings"):
            imported(source, data, frame_size=other)
    # So that tasks that were imported before there was such an option are still equal to what is asked for.
    imported(source, data, task="toy.whole")
    assert "frame_size" not in options("toy.whole")


def test_an_interrupted_import_goes_on_with_its_size_alone(tmp_path):
    source = save(tmp_path / "source", {"front": (40, 60, 3)}, episodes=48)

    def interrupt(progress):
        if progress.stage == "writing" and progress.done >= 32:
            raise KeyboardInterrupt

    def contents(data):
        return {
            str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(data.rglob("*.tfrecord*"))
        }

    messages = []

    def listen(progress):
        messages.append(progress.message)

    for data in ("same", "other"):
        with pytest.raises(KeyboardInterrupt):
            imported(source, tmp_path / data, frame_size=("32x48",), chunk=16, progress=interrupt)
    imported(source, tmp_path / "same", frame_size=("32x48",), chunk=16, progress=listen)
    assert any(message.startswith("goes on after") for message in messages)
    messages.clear()
    imported(source, tmp_path / "other", frame_size=("16x16",), chunk=16, progress=listen)
    assert not any(message.startswith("goes on") for message in messages)
    for data, size in (("same", "32x48"), ("other", "16x16")):
        imported(source, tmp_path / size, frame_size=(size,), chunk=16)
        assert contents(tmp_path / data) == contents(tmp_path / size)


def test_the_option_on_the_command_line(tmp_path, capsys):
    source = save(tmp_path / "source", {"front": (40, 60, 3)})
    arguments = [str(source), "--format", "npz", "--frame-size", "front", "32x48"]
    cli.main(["check-data", *arguments])
    assert "scaled to 32x48, 6 patches" in capsys.readouterr().out
    cli.main(["import-data", str(source), "toy.task", *arguments[1:], "--data", str(tmp_path / "data")])
    assert "image [32, 48, 3]" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main(["import-data", str(source), "toy.task", *arguments[1:4], "32", "--data", str(tmp_path / "data")])
    assert caught.value.code == 1
    assert "frame_size: expected HEIGHTxWIDTH in whole pixels, such as 224x320, found '32'" in capsys.readouterr().err


def test_pictures_of_which_not_one_can_be_read():
    broken = objects([b"\x89PNG\r\n\x1a\n and no more"] * 3)
    survey = Survey(ControlOptions())
    survey.add(Demonstration("a", {"front": broken}, np.zeros((2, 1), np.float32), np.ones(2), False, False))
    problem_lines = [problem.line() for problem in survey_problems(survey, SourceSpec(), survey.options)]
    assert "error: episode 'a': 'front': step 0: picture is broken (UnidentifiedImageError)" in problem_lines[0]
