"""What is wrong with a data directory is said once, clearly, before anything is computed."""

import collections
import itertools
import json
import shutil

import pytest

from data_pipelines.storage.recorded_tasks import DataError, corrupt_files, read_task, recorded_tasks

TASK = "metaworld.drawer_close"


@pytest.fixture
def data(recorded_data, tmp_path):
    shutil.copytree(recorded_data / TASK, tmp_path / "data" / TASK)
    return tmp_path / "data"


@pytest.fixture
def shard(data):
    return sorted((data / TASK).rglob("*.tfrecord-*"))[0]


def test_a_recorded_task(recorded_data):
    task = read_task(recorded_data, TASK)
    assert task.kind == "control"
    assert task.spec.name == TASK
    assert task.examples("train") == 12
    assert task.examples("validation") == 0
    assert read_task(recorded_data, "text.python_docs").kind == "text"
    assert corrupt_files(task.shards["train"]) == []


def test_missing_directory(tmp_path):
    with pytest.raises(DataError, match=r"no directory .*nowhere.*gato record"):
        recorded_tasks(tmp_path / "nowhere")


def test_a_directory_of_something_else(tmp_path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "info.json").write_text("{}")
    with pytest.raises(DataError, match=r"expected a data directory as `gato record`.*found info.json, meta"):
        read_task(tmp_path, TASK)


def test_task_not_recorded(data):
    with pytest.raises(DataError, match=rf"'metaworld.drawer_open' is not recorded .*nearest.*\['{TASK}'\]"):
        read_task(data, "metaworld.drawer_open")
    (data / TASK / "recording.json").unlink()
    with pytest.raises(DataError, match="not completely recorded"):
        read_task(data, TASK)


def test_another_format(data):
    info = next((data / TASK).rglob("dataset_info.json"))
    info.write_text(json.dumps({**json.loads(info.read_text()), "fileFormat": "array_record"}))
    with pytest.raises(DataError, match="format 'array_record', expected 'tfrecord'"):
        read_task(data, TASK)
    info.write_text("[]")
    with pytest.raises(DataError, match="expected a TFDS description, a JSON object, found a list"):
        read_task(data, TASK)
    (data / TASK / "spec.json").write_text("{}")
    with pytest.raises(
        DataError, match=r"spec\.json: expected the description of a task, found KeyError: 'observation'"
    ):
        read_task(data, TASK)


def test_no_tfds_directory(data):
    for info in (data / TASK).rglob("dataset_info.json"):
        info.unlink()
    with pytest.raises(DataError, match=r"expected TFDS directories .*found none"):
        read_task(data, TASK)


def test_damaged_files(data, shard):
    whole = shard.read_bytes()
    shard.write_bytes(b"")
    with pytest.raises(DataError, match=rf"{shard.name}: expected \d+ records, found an empty file"):
        read_task(data, TASK)
    shard.write_bytes(whole[:-10])
    with pytest.raises(DataError, match=rf"{shard.name}: truncated inside record"):
        read_task(data, TASK)
    shard.write_bytes(whole + whole)
    with pytest.raises(DataError, match=rf"{shard.name}: expected \d+ records, found"):
        read_task(data, TASK)
    shard.unlink()
    with pytest.raises(DataError, match=r"declares \d files of split 'train', found \[\]"):
        read_task(data, TASK)


def test_a_flipped_byte_is_named_when_it_is_read(recorded_data, data, shard, data_config):
    import dataclasses

    from data_pipelines.stream.stream import Stream

    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    config = dataclasses.replace(data_config(groups=("metaworld",), rows=8), directory=str(data))
    assert corrupt_files(read_task(data, TASK).shards["train"]) == [str(shard)]
    stream = Stream(config)
    with pytest.raises(RuntimeError, match=shard.name):
        collections.deque(itertools.islice(stream, 100), maxlen=0)  # All episodes are read in a pass.
    stream.close()


def test_directories_that_disagree(data, data_config):
    import dataclasses

    from data_pipelines.stream.stream import Stream

    features = sorted((data / TASK).rglob("features.json"))
    assert len(features) > 1
    features[-1].write_text(features[-1].read_text().replace("expert_action", "teacher_action"))
    config = dataclasses.replace(data_config(groups=("metaworld",), rows=8), directory=str(data))
    with pytest.raises(DataError, match="differ from those of"):
        Stream(config)
