"""Every format, from real small files, gives the stream that the same episodes give when they are recorded."""

import io
import json
import re
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from data_pipelines.importing.control import (
    Channels,
    ControlOptions,
    ImportingError,
    SourceError,
    Videos,
    import_data,
    import_episodes,
    open_source,
)
from data_pipelines.importing.control.conventions import chosen_layout, interpret
from data_pipelines.recording import RecordingError
from data_pipelines.storage.recorded_tasks import read_task

QUIET = {"progress": lambda progress: None}


def written(layouts, world, form, path):
    """(source, format, options) of the world in one of the layouts."""
    options = ControlOptions()
    if form == "npz":
        layouts.write_npz(world, path)
    elif form in ("flat flags", "flat ends"):
        layouts.write_flat(world, path := path.with_suffix(".npz"), ends="flags" if "flags" in form else "episode_ends")
    elif form == "minari":
        layouts.write_minari(world, path)
    elif form in ("rlds", "rlds without a last step"):
        layouts.write_rlds(world, path, extra_step=form == "rlds")
    elif form.startswith("lerobot"):
        layouts.write_lerobot(world, path, version=int(form[-1]))
        options = ControlOptions(
            observation={"grid": "observation.grid", "image": "observation.image", "mission": "instruction",
                         "walker/pos": "observation.walker.pos"},
        )  # fmt: skip
    elif form == "jat":
        layouts.write_jat(world, path)
        options = ControlOptions(observation=layouts.JAT_OBSERVATION)
    elif form == "parquet steps":
        layouts.write_steps(world, path := path.with_suffix(".parquet"))
        observation = {"grid": "obs/grid", "image": "obs/image", "mission": "mission", "walker/pos": "obs/pos"}
        options = ControlOptions(observation=observation)
    return path, form.split()[0].rstrip("23").replace("flat", "npz").replace("minari", "hdf5"), options


FORMS = (
    "npz", "flat flags", "flat ends", "minari", "rlds", "rlds without a last step", "lerobot2", "lerobot3", "jat",
    "parquet steps",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_an_import_stores_what_a_recording_does(layouts, world, recorded, tmp_path, form):
    path, format, options = written(layouts, world, form, tmp_path / "source")
    summary = import_data(path, tmp_path / "data", layouts.TASK, format=format, options=options, **QUIET)
    assert summary.counts == {"train": len(world), "validation": 0}
    assert summary.steps == sum(len(episode["action"]) for episode in world)
    assert read_task(tmp_path / "data", layouts.TASK).spec == layouts.SPEC
    stored, expected = (list(layouts.read_steps(data)) for data in (tmp_path / "data", recorded))
    has_last = form in ("npz", "minari", "rlds")
    for ours, theirs in zip(stored, expected, strict=True):
        for name in set(theirs) - {"expert_action"}:
            if name.startswith("observation") and not has_last:  # The last one is repeated, and never used.
                np.testing.assert_array_equal(ours[name][:-1], theirs[name][:-1], err_msg=name)
                np.testing.assert_array_equal(ours[name][-1], ours[name][-2], err_msg=name)
            elif name not in ("is_terminal", "discount") or form in ("minari", "rlds", "flat flags"):
                np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("form", ["minari", "rlds without a last step"])
def test_an_import_streams_as_a_recording_does(layouts, world, recorded, batches, tmp_path, form):
    path, format, options = written(layouts, world, form, tmp_path / "source")
    import_data(path, tmp_path / "data", layouts.TASK, format=format, options=options, **QUIET)
    expected = batches(recorded, layouts.TASK)
    for ours, theirs in zip(batches(tmp_path / "data", layouts.TASK), expected, strict=True):
        for name in theirs:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=f"{form}: {name}")
    assert sum(int(batch["loss_mask"].sum()) for batch in expected) > 100


@pytest.mark.parametrize("form", FORMS)
def test_reading_from_any_episode_on(layouts, world, tmp_path, form):
    path, format, options = written(layouts, world, form, tmp_path / "source")
    reader = open_source(path, format, options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    whole = list(reader.episodes(0, layout.columns))
    assert len(whole) == len(reader) == len(world)
    assert len({raw.id for raw in whole}) == len(world)
    for start in (1, 5, len(world) - 1, len(world)):
        rest = list(reader.episodes(start, layout.columns))
        assert [raw.id for raw in rest] == [raw.id for raw in whole[start:]]
        for raw, expected in zip(rest, whole[start:], strict=True):
            for name in layout.columns:
                np.testing.assert_array_equal(raw.columns[name], expected.columns[name])
    for raw, episode in zip(whole, world, strict=True):
        demonstration = interpret(raw, layout)
        assert demonstration.episode_return == pytest.approx(
            float(np.sum(episode["reward"], dtype=np.float64)), abs=1e-6
        )
        assert demonstration.steps == len(episode["action"])
        assert {key: len(values) for key, values in demonstration.observation.items()} == dict.fromkeys(
            layouts.SPEC_KEYS, demonstration.steps + 1
        )
        if form in ("minari", "rlds", "flat flags"):
            assert demonstration.terminal == episode["terminal"]


def test_the_recorded_task_itself_is_a_source(layouts, recorded, tmp_path):
    """And what is written is a source again: nothing changes on the way."""
    for source, target in ((recorded, "one"), (tmp_path / "one", "two")):
        import_data(source / layouts.TASK, tmp_path / target, layouts.TASK, format="rlds", **QUIET)
    for ours, theirs in zip(layouts.read_steps(tmp_path / "two"), layouts.read_steps(recorded), strict=True):
        for name in set(theirs) - {"expert_action"}:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def test_stacked_gray_frames(layouts, world, tmp_path):
    layouts.write_jat(world, tmp_path / "jat", stacked=True)
    reader = open_source(tmp_path / "jat", "jat", ControlOptions())
    assert reader.layout.channels is Channels.NEWEST
    import_data(tmp_path / "jat", tmp_path / "data", "toy.jat", format="jat", **QUIET)
    back = open_source(tmp_path / "data" / "toy.jat", "rlds", ControlOptions())
    for raw, episode in zip(back.episodes(0, back.layout.columns), world, strict=True):
        red = episode["observation"]["image"][:-1, ..., 0]
        for frame, expected in zip(raw.columns["observation/image"], red, strict=False):
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(frame))), expected)
    with pytest.raises(ImportingError, match=r"'image': a picture has 1 or 3 channels, found 4 -> --channels rgb"):
        import_data(
            tmp_path / "jat", tmp_path / "data", "toy.refused", format="jat",
            options=ControlOptions(channels=Channels.REFUSE), **QUIET,
        )  # fmt: skip


def test_videos_are_left_out_only_when_told_to(layouts, world, tmp_path):
    layouts.write_lerobot(world, tmp_path / "set", video=True)
    with pytest.raises(SourceError, match=r"cameras \['observation.images.wrist'\] are stored as video"):
        open_source(tmp_path / "set", "lerobot", ControlOptions())
    summary = import_data(
        tmp_path / "set", tmp_path / "data", "toy.lerobot", format="lerobot",
        options=ControlOptions(videos=Videos.LEAVE_OUT), **QUIET,
    )  # fmt: skip
    assert "cameras stored as video are left out: observation.images.wrist" in summary.notes
    assert sorted(summary.observation) == ["grid", "image", "instruction", "walker/pos"]


def test_episodes_of_a_program(layouts, world, recorded, tmp_path):
    episodes = ({**episode, "observation": layouts.nested(episode)} for episode in world)
    import_episodes(episodes, tmp_path, layouts.TASK, **QUIET)
    for ours, theirs in zip(layouts.read_steps(tmp_path), layouts.read_steps(recorded), strict=True):
        for name in set(theirs) - {"expert_action"}:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", ".sources", "format.json", layouts.TASK]
    with pytest.raises(RecordingError, match=f"task '{layouts.TASK}' is there already"):
        import_episodes(world, tmp_path, layouts.TASK, **QUIET)
    with pytest.raises(ValueError, match=r"episode 0: expected observation, action and reward, \['reward'\] are"):
        import_episodes([{"observation": 1, "action": 1}], tmp_path, "toy.other", **QUIET)
    assert not list(tmp_path.glob(".episodes*"))


def test_what_flat_arrays_must_say(layouts, world, tmp_path):
    arrays = {"observations": np.zeros((6, 2), np.float32), "actions": np.zeros((6, 1), np.float32)}

    def opened(options=None, **more):
        np.savez(tmp_path / "flat.npz", **arrays, **more)
        return open_source(tmp_path / "flat.npz", "npz", options or ControlOptions())

    flags = np.array([0, 0, 1, 0, 0, 0], bool)
    with pytest.raises(SourceError, match="nothing says where time limits cut them"):
        opened(terminals=flags)
    assert len(opened(ControlOptions(columns={"truncated": ""}), terminals=flags)) == 2
    assert len(opened(terminals=flags, timeouts=flags[::-1])) == 3
    assert len(opened(episode_ends=np.array([2, 6]))) == 2
    assert len(opened()) == 1
    with pytest.raises(SourceError, match=r"episode_ends must rise from above 0, found \[3, 3\]"):
        opened(episode_ends=np.array([3, 3]))
    with pytest.raises(SourceError, match=r"episodes end at 9 \(episode_ends\), but 'actions' has 6 steps"):
        opened(episode_ends=np.array([2, 9]))
    np.savez(tmp_path / "objects.npz", observations=np.array([{}], object), actions=np.zeros(1))
    reader = open_source(tmp_path / "objects.npz", "npz", ControlOptions())
    with pytest.raises(SourceError, match="'observations' is an object array, which only pickle could read"):
        list(reader.episodes(0, reader.layout.columns))


def test_damaged_and_foreign_sources(layouts, world, tmp_path):
    def fails(path, format, message, **options):
        with pytest.raises(SourceError, match=message):
            read(path, format, ControlOptions(**options))

    def read(path, format, options):
        reader = open_source(path, format, options)
        return list(reader.episodes(0, chosen_layout(reader.layout, reader.columns, options).columns))

    fails(tmp_path / "none", "npz", "no such file or folder")
    with pytest.raises(ValueError, match=r"no import format 'hdf'; nearest: \['hdf5'\]"):
        open_source(tmp_path, "hdf", ControlOptions())
    for name in ("a.npz", "a.hdf5", "a.parquet"):
        (tmp_path / name).write_bytes(b"broken")
    fails(tmp_path / "a.npz", "npz", "no npz file, or a broken one")
    fails(tmp_path / "a.hdf5", "hdf5", "no HDF5 file, or a broken one")
    fails(tmp_path / "a.parquet", "parquet", "no parquet file, or a broken one")
    fails(tmp_path, "lerobot", "info.json: expected LeRobot's description")
    fails(tmp_path, "rlds", r"expected one prepared TFDS data set \(dataset_info.json\), found \[\]")
    layouts.write_lerobot(world, tmp_path / "set")
    (tmp_path / "set/data/chunk-000/episode_000003.parquet").unlink()
    fails(tmp_path / "set", "lerobot", "info.json declares 9 episodes, found 8")
    table = pyarrow.table({"episode_index": [0, 1, 0], "action": [1.0, 2.0, 3.0], "observation": [1.0, 2.0, 3.0]})
    pyarrow.parquet.write_table(table, tmp_path / "mixed.parquet")
    fails(tmp_path / "mixed.parquet", "parquet", "rows of episode_index '0' do not lie together")
    table = pyarrow.table({"episode_index": [0, 0], "action": [1.0, None], "observation": [1.0, 2.0]})
    pyarrow.parquet.write_table(table, tmp_path / "nulls.parquet")
    fails(tmp_path / "nulls.parquet", "parquet", "'action': 1 of 2 values are null")
    table = pyarrow.table({"episode_index": [0, 0], "action": [[1.0], [1.0, 2.0]], "observation": [1.0, 2.0]})
    pyarrow.parquet.write_table(table, tmp_path / "ragged.parquet")
    fails(tmp_path / "ragged.parquet", "parquet", "'action': expected lists of one length, found lengths 1 to 2")
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"]}), tmp_path / "text.parquet")
    fails(tmp_path / "text.parquet", "jat", "expected JAT's columns")
    fails(tmp_path / "text.parquet", "parquet", "nothing says where episodes end")
    layouts.write_rlds(world, tmp_path / "rlds")
    fails(tmp_path / "rlds", "rlds", "no split 'test', found \\['train'\\]", split="test")
    np.savez(tmp_path / "few.npz", observation=np.zeros((3, 1)), action=np.zeros((5, 1)))
    with pytest.raises(SourceError, match=re.escape("found 5 actions and observations {'observation': 3}")):
        import_data(tmp_path / "few.npz", tmp_path / "data", "toy.few", format="npz", **QUIET)


def test_minari_says_the_range(layouts, world, tmp_path):
    layouts.write_minari(world, tmp_path / "set")
    assert open_source(tmp_path / "set", "hdf5", ControlOptions()).spec.action_range == (-1.0, 1.0)
    assert json.dumps(dict(open_source(tmp_path / "set", "hdf5", ControlOptions()).stamp))


def test_without_h5py(layouts, world, tmp_path, monkeypatch):
    layouts.write_minari(world[:1], tmp_path / "set")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(SourceError, match="HDF5 files need h5py, which is not installed: pip install h5py"):
        open_source(tmp_path / "set", "hdf5", ControlOptions())
