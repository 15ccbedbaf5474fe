"""Folders that LeRobot and robomimic wrote themselves, once, with the scripts beside this file: both want PyTorch."""

import io
import pathlib

import h5py
import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.check import check_data
from data_pipelines.importing.control import ControlOptions, SourceError, open_source
from data_pipelines.importing.control.conventions import chosen_layout, interpret

HERE = pathlib.Path(__file__).parent
LEROBOT_STEPS, ROBOMIMIC_STEPS = (4, 6, 5), (4, 6, 5, 3, 7)


def read(path, format, **options):
    options = ControlOptions(**options)
    reader = open_source(path, format, options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    return reader, [interpret(raw, layout) for raw in reader.episodes(0, layout.columns)]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_lerobot(version):
    reader, episodes = read(HERE / f"lerobot_{version}", "lerobot")
    assert reader.notes[0] == f"lerobot {version}"
    assert [one.steps for one in episodes] == list(LEROBOT_STEPS)
    for number, one in enumerate(episodes):
        rng = np.random.default_rng(number)
        states, actions = zip(*((rng.normal(size=3), rng.uniform(-1, 1, 2)) for _ in range(one.steps)), strict=True)
        np.testing.assert_array_equal(one.observation["state"][:-1], np.float32(states))
        np.testing.assert_array_equal(one.action, np.float32(actions))
        np.testing.assert_array_equal(one.reward, np.arange(one.steps))
        assert set(one.observation["instruction"]) == {f"go to {number % 2}"}
        frames = [np.asarray(Image.open(io.BytesIO(file))) for file in one.observation["images/top"][:-1]]
        np.testing.assert_array_equal(
            frames, [np.full((16, 24, 3), 10 * step + number, np.uint8) for step in range(one.steps)]
        )
    assert check_data(HERE / f"lerobot_{version}", format="lerobot").errors == 0


@pytest.mark.parametrize(
    ("split", "demos"), [("train", (0, 1, 2)), ("valid", (3, 4)), ("20_percent", (1,)), ("all", (0, 1, 2, 3, 4))]
)
def test_robomimics_masks(split, demos):
    reader, episodes = read(HERE / "robomimic.hdf5", "hdf5", split=split)
    assert reader.splits == ("20_percent", "train", "valid", "all")
    assert [one.id for one in episodes] == [f"data/demo_{number}" for number in demos]
    for number, one in zip(demos, episodes, strict=True):
        rng, steps = np.random.default_rng(number), ROBOMIMIC_STEPS[number]
        np.testing.assert_array_equal(one.observation["robot0_eef_pos"], rng.normal(size=(steps + 1, 3)))
        np.testing.assert_array_equal(one.observation["object"], rng.normal(size=(steps + 1, 10)))
        assert not one.repeated  # next_obs holds the observation behind the last action.
        assert one.terminal
    told = f"mask/{split}: {len(demos)} of 5 episodes; the file's splits are 20_percent, train, valid, all"
    assert (told in reader.notes) == (split != "all")


def test_robomimics_other_splits_and_counts(tmp_path):
    with pytest.raises(
        SourceError, match=r"no split 'vaild', found \['20_percent', 'all', 'train', 'valid'\]; did you"
    ):
        read(HERE / "robomimic.hdf5", "hdf5", split="vaild")
    path = tmp_path / "demos.hdf5"
    for change, message in (
        (lambda file: file["data"].attrs.modify("total", 24), "declares 24 steps, found 25"),
        (lambda file: file["data/demo_3"].attrs.modify("num_samples", 4), "demo_3 declares 4 steps, .* found 3"),
        (lambda file: file.__delitem__("data/demo_4"), r"mask/valid names \['data/demo_4'\], which are not among"),
    ):  # fmt: skip
        path.write_bytes((HERE / "robomimic.hdf5").read_bytes())
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(SourceError, match=message):
            read(path, "hdf5", split="valid")
    path.write_bytes((HERE / "robomimic.hdf5").read_bytes())
    with h5py.File(path, "r+") as file:
        file["mask/nobody"] = np.zeros((0,), "S6")
    with pytest.raises(SourceError, match="mask/nobody names no demo of the 5 there are"):
        read(path, "hdf5", split="nobody")
