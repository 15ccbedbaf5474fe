"""Real worker processes record real episodes; what they leave is read back, interrupted, reused and refused."""

import dataclasses
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import sentencepiece

from data_pipelines import recording
from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.job import Job
from data_pipelines.recording.pool import WorkerPool
from data_pipelines.recording.worker import episode_seeds, noise_level, record_episodes
from data_pipelines.scores import EVALUATION_SEED_BASE, load_scores
from data_pipelines.spec import TaskSpec
from data_pipelines.storage import data_directory
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.suites import catalog

TASKS = ("babyai.go_to_obj", "metaworld.drawer_close", "text.python_docs", "vqa.easy_vqa")
EPISODES = 4


def quiet(progress):
    del progress


def files(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("chunk.json", "recording.json", "scores.json", ".lock")
    }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    out = tmp_path_factory.mktemp("recorded") / "data"
    reports = []
    summary = recording.record(TASKS, out, workers=2, episodes=EPISODES, progress=reports.append)
    return out, summary, reports


def read(path, split="train"):
    """All examples of a task, steps as arrays of [T, ...]."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directories(sorted(map(str, path.glob("*/"))))
    decoders = {"steps": tfds.decode.SkipDecoding()} if "steps" in builder.info.features else None
    return list(tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)))


def assert_equal_trees(left, right):
    """Equal values; the bytes on disk may differ, because a protocol buffer's map has no order."""
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert sorted(left) == sorted(right)
        for key in left:
            assert_equal_trees(left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            assert_equal_trees(a, b)
    else:
        np.testing.assert_array_equal(left, right)


def test_a_recording_is_whole(recorded):
    out, summary, reports = recorded
    assert summary.recorded == tuple(sorted(TASKS))
    for name in TASKS:
        record = json.loads((out / name / "recording.json").read_text())
        assert record["kept"] >= EPISODES
        assert record["settings"]["seed"] == 0
        assert record["versions"]["numpy"]
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == sorted(
        [*TASKS, "format.json", "scores.json", "tokenizer.model"]
    )
    assert not (out / ".partial").exists()
    assert reports[-1].tasks_done == reports[-1].tasks_total == len(TASKS)
    assert summary.to_dict()["kept"] == summary.kept
    assert summary.table().row_count == len(TASKS)


@pytest.mark.parametrize("name", ["babyai.go_to_obj", "metaworld.drawer_close"])
def test_steps_are_aligned_with_the_world(recorded, name):
    """Replaying the recorded actions from the recorded seed gives the recorded observations and rewards."""
    out, _, _ = recorded
    spec = TaskSpec.from_json((out / name / "spec.json").read_text())
    episodes = read(out / name)
    assert len(episodes) == EPISODES
    env = catalog.make(name)
    noises = []
    for episode in episodes:
        steps = episode["steps"]
        count = len(steps["reward"]) - 1
        assert episode["seed"] < EVALUATION_SEED_BASE
        noises.append(float(episode["noise"]))
        assert steps["is_first"].tolist() == [True] + [False] * count
        assert steps["is_last"].tolist() == [False] * count + [True]
        assert not steps["action"][-1].any()
        assert not steps["expert_action"][-1].any()
        assert (noises[-1] == 0.0) == np.array_equal(steps["action"], steps["expert_action"])
        timestep = env.reset_to(int(episode["seed"]))
        for index in range(count + 1):
            for item in spec.observation:
                value = steps["observation"]
                for part in item.path:
                    value = value[part]
                value = value[index]
                if isinstance(value, bytes):
                    value = value.decode()
                np.testing.assert_array_equal(value, timestep.observation[item.key])
            if index < count:
                timestep = env.step(steps["action"][index])
                assert steps["reward"][index] == np.float32(timestep.reward)
        assert timestep.last()
        assert episode["episode_return"] == np.float32(steps["reward"][:count].sum())
    if name.startswith("metaworld"):
        assert sorted(noise > 0 for noise in noises) == [False, False, True, True]
        assert all(0.1 <= noise <= 0.6 for noise in noises if noise)


def test_scores_come_from_attempts_without_noise(recorded):
    out, _, _ = recorded
    scores = load_scores(out)
    assert sorted(scores) == ["babyai.go_to_obj", "metaworld.drawer_close"]
    for name, normaliser in scores.items():
        returns = json.loads((out / name / "recording.json").read_text())["returns"]
        assert list(normaliser.expert_returns) == returns["expert"]
        assert len(normaliser.random_returns) == 10
    assert scores["metaworld.drawer_close"].expert == 1.0
    assert len(scores["metaworld.drawer_close"].expert_returns) == 2


def test_text_and_questions_are_read_back(recorded):
    out, _, _ = recorded
    assert len(read(out / "text.python_docs")) > 50
    assert read(out / "text.python_docs", "validation")
    for split, count in (("train", EPISODES), ("validation", 1)):
        rows = read(out / "vqa.easy_vqa", split)
        assert len(rows) == count
        assert rows[0]["image"].shape == (64, 64, 3)
        assert rows[0]["question"].decode().endswith("?")
    assert json.loads((out / "vqa.easy_vqa" / "spec.json").read_text()) == {"name": "vqa.easy_vqa", "kind": "vqa"}


def test_the_text_model_knows_what_was_recorded(recorded):
    out, _, _ = recorded
    model = sentencepiece.SentencePieceProcessor(model_file=str(out / "tokenizer.model"))
    assert model.vocab_size() == 1024
    for text in json.loads((out / "babyai.go_to_obj" / "recording.json").read_text())["texts"]:
        assert model.decode(model.encode(text)) == text
        assert 0 not in model.encode(text)


def test_a_second_run_reuses_everything(recorded):
    out, _, _ = recorded
    before, messages = files(out), []
    summary = recording.record(
        TASKS, out, workers=1, episodes=EPISODES, progress=lambda report: messages.append(report.message)
    )
    assert summary.recorded == ()
    assert summary.reused == tuple(sorted(TASKS))
    assert messages == ["reused: recorded before with the same settings"] * len(TASKS)
    assert files(out) == before


def test_other_settings_are_refused(recorded):
    out, _, _ = recorded
    with pytest.raises(recording.RecordingError, match=r"'babyai\.go_to_obj'.*episodes: 4 there, 5 asked for"):
        recording.record(["babyai.go_to_obj"], out, episodes=5, progress=quiet)


def test_the_data_does_not_depend_on_workers_or_interrupts(recorded, tmp_path):
    """A recording process is killed in the middle, with its workers; the next run completes the same data."""
    out, _, _ = recorded
    name, again = "babyai.go_to_obj", tmp_path / "data"
    tasks = ["babyai.go_to_obj", "metaworld.drawer_close"]
    code = (
        "from data_pipelines import recording; import sys;"
        f"recording.record({tasks!r}, sys.argv[1], workers=1, episodes={EPISODES})"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(again)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(again.glob(".partial/*/chunk-*/chunk.json")) and not list(again.glob("*/recording.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    whole = {path.parent.name for path in again.glob("*/recording.json")}
    assert whole != set(tasks), "killed too late to test anything"
    summary = recording.record(tasks, again, workers=2, episodes=EPISODES, progress=quiet)
    assert set(summary.recorded) == set(tasks) - whole
    assert not (again / ".partial").exists()
    for task in tasks:
        assert_equal_trees(read(again / task), read(out / task))
    assert load_scores(again)[name] == load_scores(out)[name]


def test_held_out_episodes_come_beside_the_others_without_envlogger_too(recorded, tmp_path, without_envlogger):
    """The training episodes are those of a recording without a validation split, and no seed is in both.

    EnvLogger cannot be imported here: that is said once, and the episodes are the same.
    """
    out, _, _ = recorded
    without_envlogger()
    name, reports = "babyai.go_to_obj", []
    recording.record(name, tmp_path, workers=1, episodes=EPISODES, validation=0.3, progress=reports.append)
    (news,) = [report.message for report in reports if "EnvLogger" in report.message]
    assert re.search(r"cannot be imported here \(version `GLIBC_2.38' not found\): the same files are written", news)
    assert json.loads((tmp_path / name / "recording.json").read_text())["versions"]["envlogger"] == "cannot be imported"
    train, held_out = read(tmp_path / name), read(tmp_path / name, "validation")
    assert_equal_trees(train, read(out / name))
    assert len(held_out) == 2  # ceil(0.3 * 4)
    assert not {int(episode["seed"]) for episode in train} & {int(episode["seed"]) for episode in held_out}
    task = read_task(tmp_path, name)
    assert (task.examples("train"), task.examples("validation")) == (EPISODES, 2)
    with pytest.raises(recording.RecordingError, match="validation"):
        recording.record(name, tmp_path, episodes=EPISODES, progress=quiet)


def test_ctrl_c_leaves_no_process_and_a_recording_that_goes_on(tmp_path):
    out = tmp_path / "data"
    code = (
        # Whoever runs the tests in the background may have them ignore interrupts, which processes inherit.
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from data_pipelines import recording;"
        "recording.record(['babyai.go_to_obj'], sys.argv[1], workers=1, episodes=400)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(out)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob(".partial/*/chunk-*/dataset_info.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    with data_directory.lock(out, patience=5.0):  # held by any worker that is left
        assert not (out / "babyai.go_to_obj").exists()


def test_rejections_are_counted_and_too_many_are_an_error(tmp_path, monkeypatch):
    """Workers take the bar from their job, so a bar changed here holds there."""
    names = ("babyai.go_to_obj", "babyai.go_to_red_ball")  # Recorded one after the other.
    bars = {name: dataclasses.replace(catalog.get(name), bar=bar) for name, bar in zip(names, (0.94, 2.0), strict=True)}
    raised = {**catalog.catalog(), **bars}
    monkeypatch.setattr(catalog, "catalog", lambda: raised)
    with pytest.raises(
        recording.TasksFailed, match=r"only 0 of 2 episodes kept after 85 attempts; the bar is 2\.0"
    ) as of:
        recording.record(names[::-1], tmp_path, workers=1, episodes=4, progress=quiet)
    assert str(of.value).endswith("(whole: 1 other task)")
    assert list(of.value.failures) == [names[1]]
    assert not (tmp_path / names[1]).exists()
    summary = of.value.summary
    assert summary.recorded == (names[0],)
    assert summary.rejected_because == {names[0]: {"return below the bar": summary.rejected}}
    assert summary.rejections().row_count == 1
    record = json.loads((tmp_path / names[0] / "recording.json").read_text())
    assert record["rejected_because"] == {"return below the bar": record["rejected"]}
    assert record["rejected"] > 0
    assert record["kept"] + record["rejected"] == len(record["returns"]["expert"])
    assert min(record["returns"]["kept"]) >= 0.94


def test_a_beam_pipeline_records_the_same(recorded, tmp_path):
    out, _, _ = recorded
    name = "babyai.go_to_obj"
    data_directory.claim(tmp_path / "data")
    (tmp_path / "data" / "tokenizer.model").touch()  # so that none is trained
    summary = recording.record(
        name, tmp_path / "data", episodes=EPISODES, beam=["--runner=DirectRunner"], progress=quiet
    )
    assert summary.recorded == (name,)
    assert_equal_trees(read(tmp_path / "data" / name), read(out / name))
    assert load_scores(tmp_path / "data")[name] == load_scores(out)[name]


def test_mixed_and_random_recordings_keep_every_episode(tmp_path):
    job = Job(
        "babyai.go_to_obj", 0, 4, str(tmp_path / "mixed"), "", attempts=4, bar=None, noise=(0.0, 1.0), noise_share=0.75,
        noise_swap=True,
    )  # fmt: skip
    mixed = record_episodes(job, lambda message: None)
    assert [len(mixed["returns"][who]) for who in ("expert", "noisy", "random")] == [1, 3, 0]
    assert (mixed["kept"], mixed["rejected"]) == (4, {})
    swapped = {
        float(of["noise"]): (of["steps"]["action"] != of["steps"]["expert_action"]).any() for of in read(tmp_path)
    }
    assert len(swapped) == 4
    assert not swapped[0.0]
    assert swapped[max(swapped)]
    uniform = dataclasses.replace(job, noise=None, uniform=True, directory=str(tmp_path / "other" / "random"))
    alone = record_episodes(uniform, lambda message: None)
    assert [len(alone["returns"][who]) for who in ("expert", "noisy", "random")] == [0, 0, 4]
    for episode in read(tmp_path / "other"):
        np.testing.assert_array_equal(episode["steps"]["action"], episode["steps"]["expert_action"])


def test_too_little_disk_is_said_before_anything_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1_000))
    with pytest.raises(recording.RecordingError, match=r"needs about \d.*, and .* has 1 kB left: free some space"):
        recording.record("babyai.go_to_obj", tmp_path / "data", progress=quiet)
    assert not (tmp_path / "data" / ".partial").exists()


def test_a_directory_of_another_kind_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(recording.RecordingError, match=r"is no gato-jax recording: expected format\.json.*thesis\.tex"):
        recording.record(["text.python_docs"], tmp_path, progress=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_another_version_of_the_format_is_named(tmp_path):
    (tmp_path / "format.json").write_text('{"format": "gato-jax recording", "version": 99}')
    with pytest.raises(recording.RecordingError, match="'version': 99"):
        recording.record(["text.python_docs"], tmp_path, progress=quiet)


def test_half_a_task_in_place_is_named(tmp_path):
    data_directory.claim(tmp_path)
    (tmp_path / "text.python_docs").mkdir()
    with pytest.raises(recording.RecordingError, match="not a whole recording"):
        recording.record(["text.python_docs"], tmp_path, progress=quiet)


def test_a_busy_directory_is_refused(tmp_path):
    data_directory.claim(tmp_path)
    with (
        data_directory.lock(tmp_path),
        pytest.raises(recording.RecordingError, match="another recording is writing"),
        data_directory.lock(tmp_path, patience=0.0),
    ):
        pass


def test_what_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(recording.RecordingError, match="cannot record into"):
        recording.record(["text.python_docs"], tmp_path / "file" / "data", progress=quiet)


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_error(tmp_path, monkeypatch):
    monkeypatch.setattr(data_directory, "write_sorted_json", full_disk)
    with pytest.raises(recording.RecordingError, match="disk full while recording into"):
        recording.record(["text.python_docs"], tmp_path / "data", progress=quiet)


def test_a_full_disk_in_a_worker_is_the_same_error(tmp_path, monkeypatch):
    """TensorFlow's writers raise exceptions of their own, whose text names the cause."""
    failed = {"type": "failed", "error": "ResourceExhaustedError", "message": "x.tfrecord; No space left on device"}
    monkeypatch.setattr(WorkerPool, "run", lambda self, jobs, wanted: iter([(jobs[0], failed)]))
    with pytest.raises(recording.RecordingError, match="disk full while recording into"):
        recording.record(["text.python_docs"], tmp_path / "data", progress=quiet)


def test_a_worker_that_dies_is_an_error_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(recording.RecordingError, match="WorkerDied"):
        recording.record(["text.python_docs"], tmp_path / "data", progress=quiet)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"episodes": 0}, "episodes must be positive, or None, found 0"),
        ({"seed": -1}, "seed must not be negative, found -1"),
        ({"scale": 0.0}, r"scale must be positive, found 0\.0"),
        ({"workers": 0}, "workers must be positive, found 0"),
    ],
)
def test_bad_options(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        recording.record(["text.python_docs"], tmp_path / "data", progress=quiet, **options)
    assert not (tmp_path / "data").exists()


def test_unknown_tasks_create_nothing(tmp_path):
    with pytest.raises(ValueError, match="did you mean"):
        recording.record(["text.python_doc"], tmp_path / "data", progress=quiet)
    assert not (tmp_path / "data").exists()


def test_seeds_of_a_task_are_a_permutation():
    seeds = episode_seeds("a.b", 0)
    assert len(set(seeds[:5000].tolist())) == 5000
    assert seeds.max() < EVALUATION_SEED_BASE
    assert (seeds[:100] != episode_seeds("a.c", 0)[:100]).any()


def test_half_of_the_attempts_have_noise():
    job = Job("a.b", 1, 10, "", "", attempts=40, noise=(0.1, 0.6), noise_share=0.5)
    levels = [noise_level(job, index, index) for index in range(40)]
    assert sum(level > 0 for level in levels) == 20
    assert all(0.1 <= level <= 0.6 for level in levels if level)
    assert len({level for level in levels if level}) == 20


def test_settings_of_tasks_without_younger_kinds_of_noise_read_as_before():
    """Data that was recorded before these kinds came is reused: a new key would say that it is other data."""
    plain = RecordingConfig().task_settings(catalog.get("dm_control.cartpole_balance"))
    assert plain["noise"] == {"low": 0.05, "high": 0.4, "share": 0.5}
    assert plain["starts"] == {"episodes": 16, "steps": 200, "bar": 140}
    pushed = RecordingConfig().task_settings(catalog.get("dm_control.pendulum_swingup"))["starts"]["noise"]
    assert pushed == {"low": 0.7, "high": 2.0, "share": 0.7, "hold": 50}
