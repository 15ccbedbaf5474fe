"""LeRobot's meta/ declares episodes, frames, lengths, widths and splits; what is read is compared with each."""

import json

import pyarrow
import pyarrow.parquet
import pytest

from data_pipelines.importing.control import ControlOptions, SourceError, open_source


@pytest.fixture(params=[2, 3])
def dataset(request, layouts, world, tmp_path):
    """A LeRobot folder with everything that such folders declare, and how to change meta/info.json."""
    layouts.write_lerobot(world, tmp_path / "set", version=request.param)
    lengths = [len(episode["action"]) for episode in world]
    meta = tmp_path / "set" / "meta"
    if request.param == 2:
        lines = [json.dumps({"episode_index": k, "length": length}) for k, length in enumerate(lengths)]
        (meta / "episodes.jsonl").write_text("\n".join(lines))
    else:
        (meta / "episodes" / "chunk-000").mkdir(parents=True)
        table = pyarrow.table({"length": lengths, "episode_index": range(len(lengths))})
        pyarrow.parquet.write_table(table, meta / "episodes" / "chunk-000" / "file-000.parquet")
    change(meta, total_frames=sum(lengths), total_tasks=len(world), splits={"train": "0:7", "val": "7:9"})
    return tmp_path / "set"


def change(meta, **fields):
    path = meta / "info.json"
    info = json.loads(path.read_text()) | fields
    info["features"]["action"]["shape"] = fields.get("width", [2])
    path.write_text(json.dumps(info))


def read(dataset, **options):
    reader = open_source(dataset, "lerobot", ControlOptions(**options))
    return list(reader.episodes(0, frozenset({"action", "instruction"})))


def test_splits_are_ranges_of_episodes(dataset):
    assert [raw.id for raw in read(dataset)] == [str(number) for number in range(7)]
    assert [raw.id for raw in read(dataset, split="val")] == ["7", "8"]
    reader = open_source(dataset, "lerobot", ControlOptions(split="val"))
    assert len(reader) == 2
    assert [raw.id for raw in reader.episodes(1, frozenset({"action"}))] == ["8"]
    with pytest.raises(SourceError, match=r"no split 'nonsense', found \['train', 'val'\]"):
        read(dataset, split="nonsense")
    change(dataset / "meta", splits={"train": "0:70"})
    with pytest.raises(SourceError, match="expected split 'train' as FIRST:END within 9 episodes, found '0:70'"):
        read(dataset)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"total_frames": 400}, r"info.json declares 400 frames, found \d+"),
        ({"total_episodes": 8}, "info.json declares 8 episodes, found 9"),
        ({"total_tasks": 3}, "info.json declares 3 tasks, found 9"),
        ({"width": [3]}, r"info.json declares 3 values of 'action' in a step \(episode '0'\), found 2"),
    ],
)
def test_what_is_declared_is_there(dataset, fields, message):
    change(dataset / "meta", **fields)
    with pytest.raises(SourceError, match=message):
        read(dataset)


def test_lengths_of_episodes(dataset):
    lines = dataset / "meta" / "episodes.jsonl"
    if lines.exists():
        lines.write_text(lines.read_text().replace('"length": 8', '"length": 9', 1))
    else:
        path = next((dataset / "meta" / "episodes").rglob("*.parquet"))
        table = pyarrow.parquet.read_table(path).to_pydict()
        table["length"][0] = 9
        pyarrow.parquet.write_table(pyarrow.table(table), path)
    with pytest.raises(SourceError, match=r"meta/episodes.* declares 9 frames of episode 0, found 8"):
        read(dataset)


def test_a_pointer_in_meta(dataset):
    (dataset / "meta" / "stats.json").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n")
    with pytest.raises(SourceError, match=r"stats.json: Git LFS pointer: run `git lfs pull`"):
        read(dataset)


def test_the_stamp_covers_what_meta_says(dataset):
    before = open_source(dataset, "lerobot", ControlOptions()).stamp
    contents = before.contents()
    change(dataset / "meta", fps=50)
    after = open_source(dataset, "lerobot", ControlOptions()).stamp
    assert after == before
    changed = {name for name, digest in after.contents().items() if digest != contents[name]}
    assert changed == {"meta/info.json"}
