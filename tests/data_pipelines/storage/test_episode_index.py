"""Lengths and agents of episodes, read from the heads of records, beside what TensorFlow reads."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.storage.episode_index import read_episodes, read_records
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask, Shard, check_tfrecord, read_task


def ints(values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def texts(values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def write(path, examples):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for features in examples:
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return Shard(path, len(examples), check_tfrecord(path, len(examples)))


@pytest.fixture
def task(tmp_path):
    def episode(steps, agent):
        return {
            "steps/is_first": ints([1] + [0] * steps),
            "steps/observation/frame": texts([b"x" * 5000] * (steps + 1)),
            "steps/reward": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5] * (steps + 1))),
            **({"agent": texts([agent])} if agent else {}),
        }

    first = write(tmp_path / "a-train.tfrecord-0", [episode(3, b"one"), episode(300, b"two"), episode(0, b"one")])
    second = write(tmp_path / "a-train.tfrecord-1", [episode(17, b"zwei \xc3\xa4"), episode(1, b"")])
    return RecordedTask("toy.a", "control", None, (tmp_path,), {"train": (first, second)})


def test_lengths_and_agents(task):
    episodes = read_episodes(task, "train")
    assert episodes.timesteps.tolist() == [3, 300, 0, 17, 1]
    first, second = episodes.agent[0], episodes.agent[1]
    assert first != second
    assert episodes.agent[2] == first
    assert len(set(episodes.agent.tolist())) == 4
    again = read_episodes(task, "train")
    np.testing.assert_array_equal(again.timesteps, episodes.timesteps)
    np.testing.assert_array_equal(again.agent, episodes.agent)


def test_the_index_is_that_of_these_files(task, tmp_path, caplog):
    read_episodes(task, "train")
    fewer = dataclasses.replace(task, shards={"train": task.shards["train"][1:]})
    assert read_episodes(fewer, "train").timesteps.tolist() == [17, 1]
    (tmp_path / "episodes-train.npz").write_bytes(b"no archive")
    assert read_episodes(task, "train").timesteps.tolist() == [3, 300, 0, 17, 1]
    assert "episodes-train.npz is made anew" in caplog.text


def test_places_of_records(task):
    records = read_records(task.shards["train"])
    payloads = [[record.numpy() for record in tf.data.TFRecordDataset(path)] for path in records.paths]
    assert records.file.tolist() == [0, 0, 0, 1, 1]
    for file, offset in zip(records.file, records.offset, strict=True):
        content = pathlib.Path(records.paths[file]).read_bytes()
        size = int.from_bytes(content[offset : offset + 8], "little")
        assert content[offset + 12 : offset + 12 + size] in payloads[file]


def test_recorded_episodes_agree_with_tensorflow(recorded_data):
    from data_pipelines.seqio_tasks.sources import RldsDataSource

    recorded = read_task(recorded_data, "babyai.go_to_obj")
    lengths = [len(e["steps"]["reward"]) - 1 for e in RldsDataSource(recorded).get_dataset(shuffle=False)]
    assert read_episodes(recorded, "train").timesteps.tolist() == lengths


def test_what_is_no_episode_is_named(tmp_path):
    shard = write(tmp_path / "a-train.tfrecord-0", [{"text": texts([b"words"])}])
    task = RecordedTask("toy.a", "control", None, (tmp_path,), {"train": (shard,)})
    with pytest.raises(DataError, match=r"tfrecord-0: record 0 has no steps/is_first, expected an RLDS episode"):
        read_episodes(task, "train")
