"""HDF5 files: pictures as their writers store them, episodes that were cut at a wrong place, files without any."""

import io

import h5py
import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.control import ControlOptions, SourceError, import_data, open_source
from data_pipelines.importing.control.conventions import chosen_layout, interpret
from data_pipelines.importing.control.survey import infer_kind
from data_pipelines.spec import Kind

STEPS = 5
QUIET = {"progress": lambda progress: None}


def frame(step):
    return np.random.default_rng(step).integers(0, 256, (16, 24, 3), dtype=np.uint8)


def encoded(step, kind="JPEG"):
    out = io.BytesIO()
    Image.fromarray(frame(step)).save(out, kind)
    return out.getvalue()


def read(path, **options):
    options = ControlOptions(**options)
    reader = open_source(path, "hdf5", options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    return [interpret(raw, layout) for raw in reader.episodes(0, layout.columns)]


def variable(group, files):
    data = group.create_dataset("camera", (len(files),), h5py.vlen_dtype(np.uint8))
    for number, file in enumerate(files):
        data[number] = np.frombuffer(file, np.uint8)


def padded(group, files):
    width = max(map(len, files))
    group["camera"] = np.stack([np.frombuffer(file.ljust(width, b"\0"), np.uint8) for file in files])


WRITERS = {
    "Minari's, of any length": variable,
    "ALOHA's, padded": padded,
    "opaque": lambda group, files: group.create_dataset("camera", data=[np.void(file) for file in files][:1] * STEPS),
    "strings": lambda group, files: group.create_dataset("camera", data=np.array(files, "S")),
    "bare pixels": lambda group, files: group.create_dataset("camera", data=np.stack([frame(t) for t in range(STEPS)])),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_pictures(tmp_path, writer, kind):
    files = [encoded(t, kind) for t in range(STEPS)]
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for number in range(2):
            group = file.create_group(f"data/demo_{number}/obs")
            WRITERS[writer](group, files)
            file[f"data/demo_{number}/actions"] = np.linspace(-1, 1, STEPS)[:, None]
    for one in read(tmp_path / "a.hdf5"):
        frames = one.observation["camera"][:-1]
        assert infer_kind(frames) is Kind.IMAGE
        if writer == "bare pixels":
            np.testing.assert_array_equal(frames, [frame(t) for t in range(STEPS)])
            continue
        expected = files[:1] * STEPS if writer == "opaque" else files
        assert [bytes(stored_frame).rstrip(b"\0") for stored_frame in frames] == [
            file.rstrip(b"\0") for file in expected
        ]
        Image.open(io.BytesIO(frames[-1])).load()
    summary = import_data(tmp_path / "a.hdf5", tmp_path / "data", "toy.hdf5", format="hdf5", **QUIET)
    assert summary.observation == {"camera": "image [16, 24, 3]"}


def test_other_values_of_any_length(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group["actions"] = np.zeros((2, 1))
        data = group.create_dataset("observations", (2,), h5py.vlen_dtype(np.float32))
        data[0], data[1] = [1.0, 2.0], [3.0, 4.0]
    np.testing.assert_array_equal(read(tmp_path / "a.hdf5")[0].observation["observation"][:-1], [[1, 2], [3, 4]])
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        file["episode_0/observations"][1] = [3.0]
    with pytest.raises(
        SourceError, match=r"/episode_0/observations: expected values of one length, found lengths 1 to 2"
    ):
        read(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        del file["episode_0/observations"]
        file["episode_0/observations"] = 3.0
    with pytest.raises(SourceError, match="/episode_0/observations is one value, expected one for each step"):
        read(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        del file["episode_0/observations"]
        file["episode_0"].create_dataset("observations", data=[b"\xff\xfe", b"go"], dtype=h5py.string_dtype())
    with pytest.raises(SourceError, match="/episode_0/observations: expected text in UTF-8"):
        read(tmp_path / "a.hdf5")


def test_ends_that_are_one_step_late(tmp_path):
    """`next_observations` shows it: they are the next observations but where an episode ends."""
    chain = np.random.default_rng(0).normal(size=(3, 11, 2)).astype(np.float32)
    ends = np.zeros(30, bool)
    ends[[9, 19, 29]] = True
    for name, flags in (("right", ends), ("rolled", np.roll(ends, 1))):
        with h5py.File(tmp_path / f"{name}.hdf5", "w") as file:
            file["observations"], file["next_observations"] = chain[:, :-1].reshape(30, 2), chain[:, 1:].reshape(30, 2)
            file["actions"], file["rewards"] = np.linspace(-1, 1, 30)[:, None], np.ones(30, np.float32)
            file["terminals"], file["timeouts"] = flags, np.zeros(30, bool)
        notes = import_data(tmp_path / f"{name}.hdf5", tmp_path / "data", f"toy.{name}", format="hdf5", **QUIET).notes
        told = [note for note in notes if "'next_observations' of a step is not" in note]
        assert len(told) == (name == "rolled")
    assert "'observations' of the next one (in 2 of 4 episodes, first in episode 'rolled:1', step 8)" in told[0]


def test_what_only_some_episodes_have(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for number in range(3):
            file[f"data/demo_{number}/actions"] = np.zeros((2, 1))
            file[f"data/demo_{number}/obs/a"] = np.zeros((2, 1))
            if number:
                file[f"data/demo_{number}/obs/b"] = np.zeros((2, 1))
    assert open_source(tmp_path / "a.hdf5", "hdf5", ControlOptions()).notes == (
        "'obs/b' is in 2 of 3 episodes and not in the first, so it is left out",
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("data/",), r"data/ holds no demo_N, found \[\]"),
        (("data/", "mask/train"), r"data/ holds no demo_N, found \[\]"),
        (("data/first/actions",), r"data/ holds no demo_N, found \['first'\]"),
        ((), r"expected episode_N, data/demo_N, or flat arrays with actions, found \[\]"),
        (("weights/layer",), r"expected episode_N, data/demo_N, or flat arrays with actions, found \['weights'\]"),
    ],
)
def test_no_episodes(tmp_path, names, message):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for name in names:
            if name.endswith("/"):
                file.create_group(name)
            else:
                file[name] = np.zeros(3)
    with pytest.raises(SourceError, match=message):
        read(tmp_path / "a.hdf5")


def test_splits_of_a_file_without_masks(tmp_path, layouts, world):
    layouts.write_minari(world[:2], tmp_path / "set")
    with pytest.raises(SourceError, match="expected split 'train', because the source has no splits; found 'valid'"):
        read(tmp_path / "set", split="valid")
