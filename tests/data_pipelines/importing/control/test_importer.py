"""A control import stops with every reason, goes on after an interrupt, filters, splits, and says what it did."""

import hashlib
import io
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines.importing.common.shuffling import share
from data_pipelines.importing.control import (
    ActionRange,
    BadEpisodes,
    ControlOptions,
    FilterConfig,
    Float64,
    ImportingError,
    LastStep,
    Rewards,
    SourceError,
    control_options,
    import_data,
    open_source,
)
from data_pipelines.importing.control.conventions import chosen_layout, interpret
from data_pipelines.recording import RecordingError
from data_pipelines.spec import Kind
from data_pipelines.storage.recorded_tasks import read_task
from gato_jax import cli


def save(path, episodes):
    """An npz file for each dictionary of arrays."""
    path.mkdir(exist_ok=True)
    for number, arrays in enumerate(episodes):
        np.savez(path / f"{number:03d}.npz", **arrays)


def plain(steps=4, *, action=None, observation=None, reward=1.0):
    observation = np.linspace(0, 1, 2 * steps + 2).reshape(-1, 2) if observation is None else observation
    action = np.linspace(-1, 1, steps).reshape(-1, 1) if action is None else action
    return {
        "observation": np.asarray(observation, np.float32),
        "action": action,
        "reward": np.full(steps, reward / steps),
    }


@pytest.fixture
def run(tmp_path):
    """(episodes, options) to the summary of their import, and the task's directory."""

    def imported(episodes, options=None, name="data", **settings):
        save(tmp_path / "source", episodes)
        summary = import_data(
            tmp_path / "source", tmp_path / name, "toy.task", format="npz", options=options,
            **{"progress": lambda progress: None, **settings},
        )  # fmt: skip
        return summary, tmp_path / name / "toy.task"

    return imported


def recording(directory):
    return json.loads((directory / "recording.json").read_text())


def test_actions_out_of_range_name_the_range_and_the_fix(run, layouts):
    episodes = [plain(action=np.array([[-1.0, 0.5], [2.5, 0.5], [0.0, 0.1], [0.0, 0.2]], np.float32)), plain(4)]
    episodes[1]["action"] = np.zeros((4, 2), np.float32)
    message = (
        r"'toy.task' cannot be imported:\n.*'action': expected values in \[-1, 1\] \(the default\), found \[-1, 2.5\] "
        r"in dimensions \[0\] -> give their range with --action-low -1 --action-high 2.5 \(or --action-range data\)"
    )
    with pytest.raises(ImportingError, match=message):
        run(episodes)
    summary, directory = run(episodes, ControlOptions(clip_actions=True))
    assert summary.clipped == recording(directory)["clipped"] == 1
    stored = list(layouts.read_steps(directory.parent, "toy.task"))
    assert stored[0]["action"][:4, 0].tolist() == [-1, 1, 0, 0]


def test_the_range_of_the_data(run):
    episodes = [plain(action=np.array([[-3.0], [1.0], [0.0], [5.0]])) for _ in range(2)]
    summary, directory = run(episodes, ControlOptions(action_range=ActionRange.DATA))
    spec = read_task(directory.parent, "toy.task").spec
    assert (spec.action.low, spec.action.high) == (-3.0, 5.0)
    assert summary.action == "1 in [-3, 5], the least and greatest of the data"
    assert recording(directory)["action_range"] == "the least and greatest of the data"


def test_every_error_is_named_at_once(run):
    episodes = [plain(), plain()]
    for episode in episodes:
        pos = episode.pop("observation")
        episode["observation/pos"] = pos
        episode["observation/cell"] = np.arange(5) - 2
        episode["observation/big"] = np.arange(5) * 1000
    episodes[1]["observation/pos"] = np.full((5, 2), np.nan, np.float32)
    with pytest.raises(ImportingError) as caught:
        run(episodes)
    text = str(caught.value)
    assert "'cell': discrete values lie in [0, 2), found [-2, 1] -> --kinds cell continuous" in text
    assert "'big': discrete values lie in [0, 1024), found 3001 values -> --kinds big continuous" in text
    assert "'pos': NaN or Inf in episode '001', timestep 0 -> repair the source" in text
    options = ControlOptions(
        kinds={"cell": Kind.CONTINUOUS, "big": Kind.CONTINUOUS}, bad_episodes=BadEpisodes.LEAVE_OUT
    )
    summary, _ = run(episodes, options)
    assert summary.skipped == {"NaN or Inf in 'pos'": 1}
    assert summary.counts["train"] == 1
    assert any("all beyond +-256 look alike" in note for note in summary.notes)


def test_episodes_with_broken_frames_are_left_out_and_counted(tmp_path):
    def picture(number):
        image, out = Image.effect_noise((32, 32), 50), io.BytesIO()
        image.save(out, "JPEG")
        return out.getvalue()[: 300 if number in (5, 11) else None]  # In the middle, and of the last observation.

    rows = [
        {"observation.image": picture(k), "action": k % 4 / 4, "reward": 1.0, "episode_index": k // 4}
        for k in range(16)
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")

    def run(options):
        source, data = tmp_path / "a.parquet", tmp_path / "data"
        return import_data(source, data, "toy.task", format="parquet", options=options, progress=lambda progress: None)

    with pytest.raises(ImportingError, match="episode '1', 'image': step 1: picture is broken"):
        run(ControlOptions())
    summary = run(ControlOptions(bad_episodes=BadEpisodes.LEAVE_OUT))
    assert summary.counts["train"] == 2
    assert summary.skipped == {"broken values in 'image'": 2}
    assert "note: episode '2': 'image': step 3: picture is broken (OSError) -> the episode is left out" in summary.notes


def test_float64_is_rounded_by_a_stated_rule(run, layouts):
    value = 0.1 + 1e-12
    episodes = [plain() for _ in range(2)]
    for episode in episodes:
        episode["observation"] = np.full((5, 2), value) * np.arange(1, 6)[:, None]
        episode["action"] = episode["action"].astype(np.float32)
    with pytest.raises(ImportingError, match="error: 'observation': float64 -> --float64 nearest"):
        run(episodes, ControlOptions(float64=Float64.REFUSE))
    summary, directory = run(episodes)
    assert "note: 'observation': float64 -> each value becomes the nearest float32" in summary.notes
    stored = next(layouts.read_steps(directory.parent, "toy.task"))["observation/observation"]
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored[0], np.full(2, value, np.float32))
    episodes[0]["observation"] = np.full((5, 2), 1e300)
    with pytest.raises(ImportingError, match="'observation': expected values that float32 can hold, found 1e\\+300"):
        import_again(directory, episodes)


def import_again(directory, episodes):
    save(directory.parent.parent / "huge", episodes)
    source, data = directory.parent.parent / "huge", directory.parent
    import_data(source, data, "toy.huge", format="npz", progress=lambda progress: None)


def test_rewards_and_last_steps(tmp_path):
    """Numbers tell which reward and which action belong to which observation."""
    np_arrays = {"observation": np.arange(4.0), "action": np.array([10.0, 11, 12, 13]), "reward": np.arange(4.0)}

    def read(path, **options):
        np.savez(path, **np_arrays)
        chosen = ControlOptions(**options)
        reader = open_source(path, "npz", chosen)
        layout = chosen_layout(reader.layout, reader.columns, chosen)
        demonstration = interpret(next(reader.episodes(0, layout.columns)), layout)
        return (
            demonstration.observation["observation"].tolist(),
            demonstration.action.tolist(),
            demonstration.reward.tolist(),
            demonstration.repeated,
        )

    path = tmp_path / "a.npz"
    assert read(path) == ([0, 1, 2, 3, 3], [10, 11, 12, 13], [0, 1, 2, 3], True)
    assert read(path, last_step=LastStep.DUMMY) == ([0, 1, 2, 3], [10, 11, 12], [0, 1, 2], False)
    assert read(path, rewards=Rewards.SHIFTED) == ([0, 1, 2, 3], [10, 11, 12], [1, 2, 3], False)
    np_arrays["reward"] = np.arange(5.0)
    np_arrays["observation"] = np.arange(5.0)
    assert read(path) == ([0, 1, 2, 3, 4], [10, 11, 12, 13], [0, 1, 2, 3], False)
    assert read(path, rewards=Rewards.SHIFTED) == ([0, 1, 2, 3, 4], [10, 11, 12, 13], [1, 2, 3, 4], False)
    np_arrays["reward"] = np.arange(7.0)
    with pytest.raises(SourceError, match="expected 4 rewards, found 7"):
        read(path)


def test_what_rewards_and_next_observations_leave_in_doubt(run):
    episodes = [plain() | {"next_observation": plain()["observation"][1:]} for _ in range(3)]
    assert not [note for note in run(episodes)[0].notes if note.startswith("warning")]
    episodes[1]["next_observation"] = np.roll(episodes[1]["next_observation"], 1, axis=0)
    episodes[2]["reward"] = np.ones(5)
    notes = run(episodes, name="second")[0].notes
    assert (
        "warning: 'observation': 'next_observation' of a step is not 'observation' of the next one (in 1 of 3 "
        "episodes, first in episode '001', step 0) -> episodes may end elsewhere: look at the flags or ends, and at "
        "steps that are missing" in notes
    )
    assert any("one reward more than actions" in note and "in 1 of 3 episodes, first in episode '002'" in note
               for note in notes)  # fmt: skip


def test_each_dimension_of_the_action_is_told_how_many_bins_it_uses(run):
    action = np.linspace([-3.75, -0.15, 1], [3.75, 0.15, 1], 40)
    options = ControlOptions(action_low=-3.75, action_high=3.75)
    summary, _ = run([plain(40, action=action)] * 2, options)
    assert [note for note in summary.notes if "bins" in note] == [
        "warning: 'action': dimension 1 uses [-0.15, 0.15] of the range [-3.75, 3.75] (given): 41 of 1,024 bins -> "
        "scale it to the range at the source"
    ]


def test_a_source_that_changed_is_not_reused(run, tmp_path):
    episodes = [plain(), plain()]
    assert not run(episodes)[0].reused
    assert run(episodes)[0].reused
    episodes[1]["observation"] = episodes[1]["observation"] + 1
    with pytest.raises(RecordingError, match=r"was imported from other contents of 001.npz \(1 of 2 files\)"):
        run(episodes)


def test_the_source_agent_is_stored_beside_the_steps(run, layouts):
    episodes = [plain() | {"agent": name} for name in ("sac", "ppo", "ppo")]
    _, plainly = run(episodes, name="plain")
    _, directory = run(episodes, ControlOptions(agent="agent"), name="named")
    assert json.loads((directory / "recording.json").read_text())["settings"]["layout"]["agent"] == "agent"
    features = json.loads((directory / "chunk-00000" / "features.json").read_text())["featuresDict"]["features"]
    assert features["agent"]["pythonClassName"].endswith("text_feature.Text")
    (file,) = directory.glob("chunk-00000/*train.tfrecord*")
    records = [tf.train.Example.FromString(record) for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()]
    assert [record.features.feature["agent"].bytes_list.value[0] for record in records] == [b"sac", b"ppo", b"ppo"]
    # The rest is what it is without.
    without = json.loads((plainly / "chunk-00000" / "features.json").read_text())["featuresDict"]["features"]
    assert without == {key: value for key, value in features.items() if key != "agent"}
    stored = [list(layouts.read_steps(where.parent, "toy.task")) for where in (plainly, directory)]
    for ours, theirs in zip(*stored, strict=True):
        for name in theirs:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def test_the_filter_is_reported(run):
    returns = [1.0, 2.0, 10.0, 9.0, 7.9, 8.0]
    summary, directory = run([plain(reward=value) for value in returns], filter=FilterConfig())
    stored = recording(directory)
    assert summary.counts["train"] == stored["kept"] == 3
    assert stored["rejected_because"] == {"return below the bar": 3}
    assert stored["filter"]["expert_return"] == summary.filter["expert_return"] == pytest.approx(10.0)
    assert (stored["filter"]["bar"], stored["filter"]["window"]) == (pytest.approx(8.0), 1)
    assert stored["filter"]["dropped_returns"]["greatest"] == pytest.approx(7.9)
    assert stored["filter"]["kept_returns"]["least"] == pytest.approx(8.0)
    with pytest.raises(RecordingError, match=r"recorded with other settings \(filter: .* there, None asked for"):
        run([plain(reward=value) for value in returns])


def test_an_interrupted_import_goes_on_and_gives_the_same_data(tmp_path):
    rng = np.random.default_rng(0)
    save(tmp_path / "source", [plain(reward=float(value)) for value in rng.normal(size=70)])

    def contents(task):
        return {
            str(path.relative_to(task)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(task.rglob("*.tfrecord*"))
        }

    def imported(data, progress):
        return import_data(
            tmp_path / "source", tmp_path / data, "toy.task", format="npz", validation=0.3, chunk=20,
            episodes_per_file=8, filter=FilterConfig(0.2), progress=progress,
        )  # fmt: skip

    def interrupt(progress):
        if progress.stage == "writing" and progress.done >= 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imported("cut", interrupt)
    assert not (tmp_path / "cut" / "toy.task").exists()
    messages = []
    summary = imported("cut", lambda progress: messages.append(progress.message))
    assert messages[:2] == [
        "goes on with the survey of an earlier run",
        "goes on after 40 episodes of an earlier run",
    ]
    whole = imported("whole", lambda progress: None)
    assert contents(tmp_path / "cut/toy.task") == contents(tmp_path / "whole/toy.task")
    assert len(contents(tmp_path / "cut/toy.task")) > 4
    assert (summary.counts, summary.filter) == (whole.counts, whole.filter)
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == [
        ".lock",
        ".sources",
        "format.json",
        "toy.task",
    ]
    again = imported("cut", lambda progress: pytest.fail("nothing is left to do"))
    assert again.reused
    assert again.counts == summary.counts


def test_splits_follow_the_id_alone(run):
    summary, directory = run([plain() for _ in range(60)], validation=0.3)
    expected = sum(share(f"{number:03d}") < 0.3 for number in range(60))
    assert summary.counts == {"train": 60 - expected, "validation": expected}
    assert read_task(directory.parent, "toy.task").examples("validation") == expected
    assert 5 < expected < 35


def test_discrete_actions_kinds_and_texts(run):
    episodes = [plain() for _ in range(2)]
    for number, episode in enumerate(episodes):
        episode["action"] = np.array([0, 1, 2, number])
        episode["observation/mission"] = np.array([f"go {number}"] * 5)
        episode["observation/pos"] = episode.pop("observation")
    summary, directory = run(episodes, ControlOptions(num_values={"action": 5}, leave_out=("pos",)))
    spec = read_task(directory.parent, "toy.task").spec
    assert (spec.action.kind, spec.action.num_values) == (Kind.DISCRETE, 5)
    assert [item.key for item in spec.observation] == ["mission"]
    assert recording(directory)["texts"] == ["go 0", "go 1"]
    assert summary.action == "1 of 5 values"
    with pytest.raises(SourceError, match=r"leave_out: no observation key 'nothing', found \['mission', 'pos'\]"):
        run(episodes, ControlOptions(leave_out=("nothing",)))
    with pytest.raises(SourceError, match=r"no column 'torque', found"):
        run(episodes, ControlOptions(action=("torque",)))
    with pytest.raises(ImportingError, match=r"kinds or num_values name \['torque'\]"):
        import_data(directory.parent.parent / "source", directory.parent, "toy.other", format="npz",
                    options=ControlOptions(num_values={"torque": 5}), progress=lambda progress: None)  # fmt: skip


def test_chunks_without_an_episode_of_a_split(run):
    """The bar leaves nothing of the first chunk, and the hash nothing of the second for validation."""
    episodes = [plain(reward=value) for value in [1.0, 1.0, 9.0, 9.0, 9.0, 9.0]]
    summary, directory = run(episodes, filter=FilterConfig(), chunk=2, validation=0.4)
    assert sum(summary.counts.values()) == 4
    assert sorted(path.name for path in directory.glob("chunk-*")) == ["chunk-00001", "chunk-00002"]
    reader = open_source(directory, "rlds", ControlOptions())
    assert len(reader) == len(list(reader.episodes(0, reader.layout.columns))) == summary.counts["train"]


def test_a_broken_frame_is_named(tmp_path):
    """Also where frames are stored as they are: half a JPEG would end training, without a word of task or episode."""
    buffer = io.BytesIO()
    Image.effect_noise((32, 32), 50).convert("RGB").save(buffer, "jpeg")
    files = [buffer.getvalue()] * 12
    files[9] = files[9][: len(files[9]) // 2]
    columns = {"observation.image": [{"bytes": file, "path": None} for file in files]}
    columns |= {"action": np.linspace(-1, 1, 12), "episode_index": [0] * 6 + [1] * 6}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    with pytest.raises(
        ImportingError, match=r"'toy.task', episode '1', 'image': step 3: picture is broken \(OSError\)"
    ):
        import_data(tmp_path / "a.parquet", tmp_path / "data", "toy.task", format="parquet", progress=lambda _: None)
    assert not (tmp_path / "data" / "toy.task").exists()


def test_bad_options():
    for message, options in {
        "give action_low and action_high together": {"action_low": 0.0},
        "action_low must be below action_high, found 1 and 1": {"action_low": 1, "action_high": 1},
        "give action_low and action_high, or action_range data": {
            "action_low": 0, "action_high": 1, "action_range": "data",
        },
        "columns: expected roles among": {"columns": {"colour": "red"}},
        "kinds: expected": {"kinds": {"pos": "sound"}},
        "num_values: 'a' needs at least one value, found 0": {"num_values": {"a": 0}},
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message):
            control_options(**options)


def test_the_command(tmp_path, capsys):
    save(tmp_path / "source", [plain(reward=value) for value in (1.0, 5.0, 4.5)])
    arguments = ["import-data", str(tmp_path / "source"), "toy.task", "--format", "npz", "--data"]
    cli.main([*arguments, str(tmp_path / "data"), "--filter", "0.8", "--action-low", "-2", "--action-high", "2",
              "--kinds", "observation", "continuous", "--json"])  # fmt: skip
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"train": 2, "validation": 0}
    assert report["filter"]["dropped"] == 1
    assert report["action"] == "1 in [-2, 2], given"
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, str(tmp_path / "other"), "--filter-floor", "1"])
    assert caught.value.code == 2
