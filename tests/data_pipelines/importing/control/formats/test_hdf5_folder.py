"""A folder of HDF5 files with an episode each, written as ALOHA's `record_episodes.py` writes them."""

import io

import h5py
import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.control import ControlOptions, SourceError, import_data, open_source
from data_pipelines.importing.control.conventions import chosen_layout, interpret
from gato_jax import cli

CAMERAS = ("cam_low", "cam_high")
"""In the order of the recorder's settings, which is not that of the file."""
LENGTHS = (4, 6)


def jpeg(seed):
    out = io.BytesIO()
    # Files of different lengths, so that padding matters.
    pixels = np.random.default_rng(seed).integers(0, 20 + 40 * seed, (16, 24, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=50)
    return out.getvalue()


def write_episode(path, number, steps, *, compress=True, mobile=True):
    """One file. Cameras are JPEG files padded to the longest of all, or bare pixels of a simulator."""
    with h5py.File(path, "w") as file:
        file.attrs["sim"] = not compress
        if compress:
            file.attrs["compress"] = True
        for name, width in (("qpos", 14), ("qvel", 14), ("effort", 14)):
            file.create_dataset(f"observations/{name}", (steps, width))[...] = np.arange(steps)[:, None] + number
        frames = {name: [jpeg(c + t % 3 + 2 * c) for t in range(steps)] for c, name in enumerate(CAMERAS)}
        longest = max(len(frame) for files in frames.values() for frame in files)
        for name, files in frames.items():
            if compress:
                file[f"observations/images/{name}"] = np.stack(
                    [np.frombuffer(frame.ljust(longest, b"\0"), np.uint8) for frame in files]
                )
            else:
                pixels = [np.asarray(Image.open(io.BytesIO(frame))) for frame in files]
                file[f"observations/images/{name}"] = np.stack(pixels)
        file.create_dataset("action", (steps, 14))[...] = np.linspace(-0.9, 0.9, steps)[:, None]
        if mobile:
            file.create_dataset("base_action", (steps, 2))[...] = 0.5
        if compress:
            lengths = [[len(frame) for frame in frames[name]] for name in CAMERAS]
            file.create_dataset("compress_len", (len(CAMERAS), steps))[...] = lengths
    return frames


@pytest.fixture
def aloha(tmp_path):
    """Eleven episodes, so that their numbers do not sort as words do."""
    folder = tmp_path / "aloha"
    folder.mkdir()
    for number in range(11):
        write_episode(folder / f"episode_{number}.hdf5", number, LENGTHS[number % 2])
    return folder


def read(path, **options):
    options = ControlOptions(**options)
    reader = open_source(path, "hdf5", options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    return [interpret(raw, layout) for raw in reader.episodes(0, layout.columns)]


def test_an_episode_is_a_file(aloha):
    reader = open_source(aloha, "hdf5", ControlOptions())
    assert len(reader) == 11
    assert reader.notes == ("'base_action' is not read; --action action base_action joins it to the action",)
    episodes = read(aloha)
    assert [one.id for one in episodes] == [f"episode_{number}" for number in range(11)]
    assert [one.steps for one in episodes] == [LENGTHS[number % 2] for number in range(11)]
    assert sorted(episodes[0].observation) == ["effort", "images/cam_high", "images/cam_low", "qpos", "qvel"]
    np.testing.assert_array_equal(episodes[10].observation["qpos"][:, 0], [10, 11, 12, 13, 13])
    expected = write_episode(aloha / "again.hdf5", 0, LENGTHS[0])
    for name in CAMERAS:
        assert episodes[0].observation[f"images/{name}"][:-1].tolist() == expected[name]  # Without their padding.


def test_the_import(aloha, tmp_path):
    options = ControlOptions(action=("action", "base_action"), leave_out=("effort", "qvel"))
    summary = import_data(
        aloha, tmp_path / "data", "toy.aloha", format="hdf5", options=options, progress=lambda _: None
    )
    assert summary.observation == {
        "images/cam_high": "image [16, 24, 3]", "images/cam_low": "image [16, 24, 3]", "qpos": "continuous [14]",
    }  # fmt: skip
    assert (sum(summary.counts.values()), summary.steps) == (11, 6 * LENGTHS[0] + 5 * LENGTHS[1])
    assert summary.action == "16 in [-1, 1], the default"


def test_one_file_and_bare_pixels_of_a_simulator(aloha, tmp_path):
    write_episode(tmp_path / "alone.hdf5", 0, 5, compress=False, mobile=False)
    (one,) = read(tmp_path / "alone.hdf5")
    assert (one.id, one.steps, one.observation["images/cam_low"].shape) == ("alone", 5, (6, 16, 24, 3))
    assert len(read(aloha / "episode_3.hdf5")) == 1


def change(path, name, value):
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("action", None, r"episode_2.hdf5: no data sets \['action'\], which episode_0.hdf5 has"),
        ("action", np.zeros((2, 14)), "episode 'episode_2': expected as many observations as actions, or one more"),
        ("observations/qpos", np.zeros((3, 14)), "episode 'episode_2': expected as many observations as actions"),
        ("observations/images/cam_low", np.zeros((4, 99), np.uint8),
         "episode_2.hdf5: declares compress, so 'observations/images/cam_low' must hold JPEG or PNG"),
        ("compress_len", np.full((2, 4), 77), r"declares \[77, 77\] bytes for the pictures of step 0, .* has [0-9]+$"),
        ("compress_len", np.zeros((2, 3)), r"'compress_len' must have a length for each of 4 .* found shape \[2, 3\]"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(aloha, name, value, message):
    change(aloha / "episode_2.hdf5", name, value)
    with pytest.raises(SourceError, match=message):
        read(aloha)


def test_files_of_many_episodes_are_imported_by_themselves(tmp_path):
    for name in ("lift", "square"):
        with h5py.File(tmp_path / f"{name}.hdf5", "w") as file:
            for number in range(2):
                file[f"data/demo_{number}/actions"] = np.zeros((2, 1))
                file[f"data/demo_{number}/obs/a"] = np.zeros((2, 1))
    with pytest.raises(
        SourceError, match=r"lift.hdf5: expected an episode in each of the 2 files.* \(robomimic, Minari\)"
    ):
        read(tmp_path)
    assert len(read(tmp_path / "lift.hdf5")) == 2


def test_boundaries_inside_of_a_file(aloha):
    with h5py.File(aloha / "episode_4.hdf5", "r+") as file:
        file["episode_ends"] = [2, 4]
    with pytest.raises(
        SourceError,
        match=r"episode_4.hdf5: expected an episode in each of the 11 files, found one that says",
    ):
        read(aloha)
    change(aloha / "episode_4.hdf5", "episode_ends", None)
    with h5py.File(aloha / "episode_0.hdf5", "r+") as file:
        file["my_time"] = [0, 1, 2, 0]
    with pytest.raises(SourceError, match="so it would be one episode of 4 steps, but 'my_time' with 4 entries may"):
        read(aloha)


def test_check_data_reads_it(aloha, capsys):
    change(aloha / "episode_2.hdf5", "observations/images/cam_low", np.zeros((4, 99), np.uint8))
    with pytest.raises(SystemExit):
        cli.main(["check-data", str(aloha), "--format", "hdf5"])
    assert "episode_2.hdf5: declares compress" in capsys.readouterr().out
