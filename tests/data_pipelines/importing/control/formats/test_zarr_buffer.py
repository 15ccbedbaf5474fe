"""Replay buffers that zarr itself wrote, of both of its formats, whole and damaged."""

import shutil
import sys

import numpy as np
import pytest
import zarr

from data_pipelines.importing.control import ControlOptions, SourceError, import_data, open_source
from data_pipelines.importing.control.conventions import chosen_layout

ENDS = (10, 18, 30)
STEPS = ENDS[-1]


def arrays():
    rng = np.random.default_rng(0)
    return {
        "state": rng.normal(size=(STEPS, 5)).astype(np.float32),
        "img": rng.integers(0, 256, (STEPS, 16, 24, 3), dtype=np.uint8),
        "action": rng.uniform(-1, 1, (STEPS, 2)).astype(np.float32),
    }


def write(path, *, zarr_format=2, ends=ENDS, meta=True, **changed):
    """diffusion policy's `ReplayBuffer` in a folder; None leaves an array out."""
    root = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    data = root.create_group("data")
    for name, values in {**arrays(), **changed}.items():
        if values is not None:
            data.create_array(name, data=values, chunks=(7, *values.shape[1:]))
    if meta:
        root.create_group("meta").create_array("episode_ends", data=np.asarray(ends))
    return path


def read(path, **options):
    options = ControlOptions(**options)
    reader = open_source(path, "zarr", options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    return reader, list(reader.episodes(0, layout.columns))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_a_replay_buffer(tmp_path, zarr_format, packed):
    path = write(tmp_path / "a.zarr", zarr_format=zarr_format)
    if packed:
        path = shutil.make_archive(str(path), "zip", path)
    reader, episodes = read(path)
    assert len(reader) == len(episodes) == len(ENDS)
    assert reader.layout.observation == {"img": "img", "state": "state"}
    assert reader.notes == (
        "the layout names no observation, so these arrays are: img, state; --observation chooses others",
    )
    for episode, begin, end in zip(episodes, (0, *ENDS), ENDS, strict=False):
        for name, values in arrays().items():
            np.testing.assert_array_equal(episode.columns[name], values[begin:end])
    assert [raw.id for raw in reader.episodes(2, frozenset(["action"]))] == [episodes[2].id]


def test_it_is_imported(tmp_path):
    path = write(tmp_path / "a.zarr", reward=np.ones(STEPS, np.float32))
    summary = import_data(path, tmp_path / "data", "toy.zarr", format="zarr", progress=lambda progress: None)
    assert (summary.steps, summary.counts["train"]) == (STEPS, len(ENDS))
    assert sorted(summary.observation) == ["img", "state"]
    summary = import_data(
        path, tmp_path / "data", "toy.state", format="zarr", options=ControlOptions(observation={"pos": "state"}),
        progress=lambda progress: None,
    )  # fmt: skip
    assert sorted(summary.observation) == ["pos"]


OTHERS = {
    "rows behind the last end": ({"ends": (10, 18)}, "12 rows behind the last end: 'meta/episode_ends' ends at 18"),
    "an end behind the rows": ({"ends": (10, 40)}, r"episodes end at 40 \(meta/episode_ends\), but 'data/\w+' has 30"),
    "an array of another length": (
        {"state": np.zeros((29, 5))}, r"episodes end at 30 \(meta/episode_ends\), but 'data/state' has 29 steps",
    ),
    "no ends": ({"meta": False}, "expected a zarr group with data/ and meta/episode_ends, found KeyError"),
    "no episode": ({"ends": np.zeros(0, np.int64)}, "meta/episode_ends must rise from above 0, found \\[\\]"),
    "no action": ({"action": None}, "no action column found"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_other_layouts(tmp_path, name):
    changed, message = OTHERS[name]
    write(tmp_path / "a.zarr", **changed)
    with pytest.raises(SourceError, match=message):
        read(tmp_path / "a.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_damage(tmp_path, zarr_format):
    """zarr 2's usual codec, Blosc, reads whatever is in memory where a chunk is cut."""
    path = write(tmp_path / "a.zarr", zarr_format=zarr_format)
    chunk = path / "data" / "state" / ("1.0" if zarr_format == 2 else "c/1/0")
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-9])
    message = f"expected a chunk of {len(whole)} bytes, found {len(whole) - 9}" if zarr_format == 2 else (
        "data/state, steps 0 to 9: a chunk is damaged"
    )  # fmt: skip
    with pytest.raises(SourceError, match=message):
        read(path)
    chunk.unlink()
    reader, _ = read(path)
    assert reader.notes[0] == ("data/state: 1 of 5 chunks are not stored, and read as 0.0: look whether they got lost")
    packed = shutil.make_archive(str(path), "zip", path)
    with open(packed, "r+b") as file:
        file.truncate(200)
    with pytest.raises(SourceError, match=r"expected a zarr group .*BadZipFile"):
        read(packed)


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(SourceError, match="expected a zarr group with data/ and meta/episode_ends"):
        read(tmp_path)
    with pytest.raises(SourceError, match="expected split 'train', because the source has no splits; found 'valid'"):
        read(write(tmp_path / "a.zarr"), split="valid")


def test_without_zarr(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(SourceError, match=r'zarr folders need zarr, .*: pip install zarr, or pip install "gato-jax'):
        read(tmp_path)
