"""Folders that `save_to_disk` of Hugging Face's `datasets` wrote: steps, captions, text; splits, labels, damage."""

import json
import sys

import datasets
import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.check import check_data
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control import ControlOptions, import_data, open_source
from data_pipelines.importing.vision_language import FORMATS, SourceOptions

STEPS = 20
LIST = datasets.Sequence
FEATURES = datasets.Features(
    {
        "observation.state": LIST(datasets.Value("float32"), length=3),
        "observation.image": datasets.Image(),
        "observation.map": datasets.Array2D((2, 2), "float32"),
        "action": datasets.ClassLabel(names=["left", "right", "stay"]),
        "episode_index": datasets.Value("int64"),
        "frame_index": datasets.Value("int64"),
        "next.reward": datasets.Value("float32"),
    }
)


def columns():
    rng = np.random.default_rng(0)
    return {
        "observation.state": rng.normal(size=(STEPS, 3)).astype(np.float32),
        "observation.image": rng.integers(0, 256, (STEPS, 16, 24, 3), dtype=np.uint8),
        "observation.map": rng.normal(size=(STEPS, 2, 2)).astype(np.float32),
        "action": [step % 2 for step in range(STEPS)],
        "episode_index": [step // 10 for step in range(STEPS)],
        "frame_index": [step % 10 for step in range(STEPS)],
        "next.reward": [1.0] * STEPS,
    }


@pytest.fixture(scope="module")
def steps():
    given = {name: list(values) for name, values in columns().items()}
    return datasets.Dataset.from_dict(given, features=FEATURES)


@pytest.fixture
def saved(steps, tmp_path):
    """One data set in two files."""
    steps.save_to_disk(tmp_path / "one", num_shards=2)
    return tmp_path / "one"


@pytest.mark.parametrize("format", ["arrow", "parquet"])
def test_steps(saved, tmp_path, format):
    reader = open_source(saved, format, ControlOptions())
    assert reader.spec.num_values == {"action": 3}  # Though only two of the labels are used.
    assert reader.splits == ()
    episodes = list(reader.episodes(0, reader.layout.columns))
    assert len(episodes) == len(reader) == 2
    for name, values in columns().items():
        if name in reader.layout.columns and name != "observation.image":
            np.testing.assert_array_equal(np.concatenate([one.columns[name] for one in episodes]), values)
    second = list(reader.episodes(1, reader.layout.columns))
    assert [one.id for one in second] == ["1"]
    np.testing.assert_array_equal(second[0].columns["action"], episodes[1].columns["action"])
    summary = import_data(saved, tmp_path / "data", "toy.arrow", format=format, progress=lambda progress: None)
    assert summary.steps == STEPS
    assert summary.observation["image"] == "image [16, 24, 3]"


def test_splits(steps, tmp_path):
    whole = datasets.DatasetDict(train=steps, valid=steps.select(range(10)))
    whole.save_to_disk(tmp_path / "dict")
    for split, episodes in (("train", 2), ("valid", 1)):
        reader = open_source(tmp_path / "dict", "arrow", ControlOptions(split=split))
        assert (len(reader), reader.splits) == (episodes, ("train", "valid"))
    for format in ("arrow", "parquet"):
        with pytest.raises(SourceError, match=r"no split 'test', found \['train', 'valid'\]"):
            open_source(tmp_path / "dict", format, ControlOptions(split="test"))


def test_one_data_set_has_no_splits(saved):
    with pytest.raises(SourceError, match="expected split 'train', because the source has no splits; found 'valid'"):
        open_source(saved, "arrow", ControlOptions(split="valid"))


def test_an_episode_in_each_row(tmp_path):
    rows = [{"observations": np.full((3 + n, 2), n, np.float32), "actions": np.zeros((3 + n, 1))} for n in range(2)]
    rows = [{name: values.tolist() for name, values in row.items()} for row in rows]
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "rows")
    reader = open_source(tmp_path / "rows", "arrow", ControlOptions())
    shapes = [one.columns["observations"].shape for one in reader.episodes(0, reader.layout.columns)]
    assert shapes == [(3, 2), (4, 2)]


def test_rows_out_of_order(steps, tmp_path):
    steps.shuffle(seed=0).save_to_disk(tmp_path / "shuffled")
    with pytest.raises(SourceError, match=r"rows of episode_index '.' do not lie together"):
        open_source(tmp_path / "shuffled", "arrow", ControlOptions())


def last(folder):
    return max(folder.glob("*.arrow"))


def batch_less(path):
    """Cuts a file between two of its batches: as Arrow reads it, it is whole, and shorter."""
    import pyarrow

    whole = path.read_bytes()
    with pyarrow.ipc.open_stream(path) as stream:
        batches = list(stream)
    sink = pyarrow.BufferOutputStream()
    writer = pyarrow.ipc.new_stream(sink, batches[0].schema)
    writer.write_batch(batches[0])
    path.write_bytes(whole[: sink.tell()])


DAMAGE = {
    "a missing file": (lambda folder: last(folder).unlink(), "state.json names it, but it cannot be read"),
    "a file cut short": (
        lambda folder: last(folder).write_bytes(last(folder).read_bytes()[:-700]), "Arrow's mark at the end of a file",
    ),
    "a file that lacks a batch": (lambda folder: batch_less(last(folder)), "Arrow's mark at the end of a file"),
    "an empty file": (lambda folder: last(folder).write_bytes(b""), "Arrow's mark at the end of a file, found b''"),
    "a state cut short": (lambda folder: (folder / "state.json").write_text("{"), "1 bytes that are cut short"),
    "no state": (lambda folder: (folder / "state.json").unlink(), r"as Hugging Face's `save_to_disk` leaves it"),
    "features cut short": (
        lambda folder: (folder / "dataset_info.json").write_text("{"), "`datasets` cannot open it: JSONDecodeError",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_damage(saved, name):
    damage, message = DAMAGE[name]
    damage(saved)
    with pytest.raises(SourceError, match=message) as caught:
        open_source(saved, "arrow", ControlOptions())
    report = check_data(saved, format="arrow")
    assert [problem.message for problem in report.tasks[0].problems] == [str(caught.value)]


def test_captions_and_text(tmp_path):
    pictures = [Image.fromarray(np.full((16, 16, 3), 9 * n, np.uint8)) for n in range(3)]
    given = {"image": pictures, "caption": [f"picture {n}" for n in range(3)]}
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.Value("string")})
    datasets.DatasetDict(train=datasets.Dataset.from_dict(given, features=features)).save_to_disk(tmp_path / "pictures")
    datasets.Dataset.from_dict({"text": ["one", "two"], "id": [1, 2]}).save_to_disk(tmp_path / "text")
    for format in ("arrow", "parquet"):
        reader = FORMATS[format].open(tmp_path / "pictures", SourceOptions())
        assert (reader.kind, len(reader)) == ("captions", 3)
        assert [item.captions for item in reader.items(1)] == [("picture 1",), ("picture 2",)]
        assert all(isinstance(item.picture, bytes) for item in reader.items(0))
        reader = FORMATS[format].open(tmp_path / "text", SourceOptions())
        assert [(item.id, item.text) for item in reader.items(0)] == [("1", "one"), ("2", "two")]
        assert json.dumps(reader.stamp)
        with pytest.raises(SourceError, match="no split 'test'"):
            FORMATS[format].open(tmp_path / "pictures", SourceOptions(split="test"))


def test_without_the_library(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SourceError, match=r"folders of `save_to_disk` need datasets, .*: pip install datasets, or pip"):
        open_source(saved, "arrow", ControlOptions())
