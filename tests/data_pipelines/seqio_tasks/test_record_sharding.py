"""Which records every shard reads: equal parts, each record once."""

import collections
import dataclasses
import pathlib

import numpy as np
import pytest
import seqio
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.importing.control import import_episodes
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.buffer_sizes import fit_buffers
from data_pipelines.seqio_tasks.record_sharding import RUNS, runs, shard_bounds
from data_pipelines.seqio_tasks.sources import RldsDataSource
from data_pipelines.storage.recorded_tasks import ENTRIES, Framing, RecordedTask, Shard, check_tfrecord, read_task
from data_pipelines.stream.stream import Stream
from data_pipelines.tokenizers.layout import TokenConfig

TASK, EPISODES = "toy.count", 320


def shard(records, size=100):
    """A file whose records are `size` bytes each."""
    every = max(1, -(-records // ENTRIES))
    return Shard(
        pathlib.Path("file"), records, Framing(size * records, "", tuple(range(0, size * records, size * every)), every)
    )


@given(
    st.lists(st.tuples(st.integers(1, 3000), st.integers(20, 500)), min_size=1, max_size=6),
    st.integers(1, 9),
    st.none() | st.integers(0, 2**60),
)
@settings(max_examples=60, deadline=None)
def test_every_record_is_dealt_once_and_bytes_equally(sizes, shards, seed):
    files = [shard(records, size) for records, size in sizes]
    begins, bytes_of = np.cumsum([0, *(n for n, _ in sizes)]), np.repeat([s for _, s in sizes], [n for n, _ in sizes])
    parts = []
    for index in range(shards):
        starts, ends = (values.numpy() for values in runs(files, shard=index, shards=shards, seed=seed))
        assert len(starts) <= RUNS + len(files) + 1
        for low, high in zip(starts, ends, strict=True):
            assert np.searchsorted(begins, low, side="right") == np.searchsorted(begins, high - 1, side="right")
        parts.append([number for low, high in zip(starts, ends, strict=True) for number in range(low, high)])
    assert [number for part in parts for number in part] == list(range(begins[-1]))
    dealt = [bytes_of[part].sum() for part in parts]
    assert max(dealt) - min(dealt) <= 2 * max(s for _, s in sizes) + shards
    assert all(parts) or begins[-1] < shards


def test_a_huge_record_leaves_no_shard_empty():
    files = [shard(3, 10), shard(1, 10**6), shard(3, 10)]
    assert shard_bounds(files, 7).tolist() == list(range(8))
    assert (np.diff(shard_bounds(files, 4)) >= 1).all()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Episodes whose observation is their number."""

    def episodes():
        for number in range(EPISODES):
            observation = {"number": np.full((4, 1), number, np.int64)}
            yield {"observation": observation, "action": np.zeros((3, 1), np.float32), "reward": np.zeros(3)}

    root = tmp_path_factory.mktemp("data")
    import_episodes(episodes(), root, TASK, progress=lambda progress: None)
    return root


@pytest.mark.parametrize("shards", [1, 7, 64])
def test_shards_read_all_and_share_none(data, shards):
    source = RldsDataSource(read_task(data, TASK))

    @tf.function(autograph=False)
    def build(index, seed):
        dataset = source.get_dataset("train", True, seed, seqio.ShardInfo(index, shards))
        return dataset.map(lambda episode: (episode["example_id"], episode["steps"]["observation"]["number"][0, 0]))

    def read(index, seed):
        return list(build(tf.constant(index, tf.int64), tf.constant(seed, tf.int64)).as_numpy_iterator())

    parts = [read(index, 3) for index in range(shards)]
    assert sorted(number for part in parts for number, _ in part) == list(range(EPISODES))
    assert all(number == value for part in parts for number, value in part)
    assert read(shards - 1, 3) == parts[-1]
    assert read(shards - 1, 4) != parts[-1]
    in_order = source.get_dataset("train", shuffle=False).as_numpy_iterator()
    assert [int(episode["example_id"]) for episode in in_order] == list(range(EPISODES))


def test_a_stream_that_starts_afresh_goes_on_where_it_was(data):
    """Segments of 15 steps of 8 rows: of 320 episodes each deals 120, and eight of them all three times."""
    rows = RowGroup((TASK,), window_length=9)
    stream = Stream(
        DataConfig(
            str(data),
            TokenConfig(),
            MixtureConfig({TASK: 1.0}, {"all": rows}, 8),
            StreamConfig(virtual_shards=2, reseed_every=15, shuffle_buffer=4, episode_buffer=4, prompt_share=0.0),
        )
    )
    # An episode is one window of three timesteps.
    seen = collections.Counter()
    for _ in range(3 * EPISODES // 8):
        seen.update(next(stream)["all"]["tokens"][:, 0].tolist())
    stream.close()
    assert set(seen.values()) == {3}
    assert len(seen) == EPISODES


def test_entries_are_those_of_the_records(data):
    (first, *_) = read_task(data, TASK).shards["train"]
    assert first.framing == check_tfrecord(first.path, first.records)
    content = first.path.read_bytes()
    assert first.framing.entries[0] == 0
    for low, high in zip(first.framing.entries, first.framing.entries[1:], strict=False):
        assert int.from_bytes(content[low : low + 8], "little") == high - low - 16


@pytest.mark.parametrize(
    ("record", "patches", "expected"),
    [(1000, 0, (64, 4, 2048)), (2**20, 896, (5, 4, 970)), (2**26, 1024, (1, 1, 856))],
)
def test_buffers_shrink_to_the_memory_there_is(record, patches, expected):
    """24 tasks of small states, of 64x64 frames, and of episodes of 64 MiB."""
    task = RecordedTask("a.b", "control", None, (), {"train": (shard(100, record),)})
    stream = dataclasses.replace(StreamConfig(), buffer_mebibytes=24 * 1024)
    fitted = fit_buffers(stream, task, tasks=24, window_length=1024, window_patches=patches)
    assert (fitted.episode_buffer, fitted.interleaved_episodes, fitted.shuffle_buffer) == expected
