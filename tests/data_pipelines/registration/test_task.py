"""Tasks as SeqIO reads them: passes over shards, in the order of the files or shuffled."""

import collections
import dataclasses

import numpy as np
import pytest
import seqio

from data_pipelines import register
from data_pipelines.caching.writer import write_cache
from data_pipelines.config import DataConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.sequences.windows import PLACES
from data_pipelines.storage.recorded_tasks import DataError, read_task
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import TokenType
from tests.data_pipelines.recordings import POINT, episode, write
from tests.data_pipelines.registration.conftest import TASKS

pytestmark = pytest.mark.usefixtures("registered")
STATES, TEXT = (f"gato.{task}" for task in TASKS)
TIMESTEP = 39 + 1 + 4
"""Places of a timestep: the state, the separator, the action. Two fill a window of 90."""


def read(name, shards=1, **options):
    """The places of all rows of each shard."""
    task = seqio.get_mixture_or_task(name)
    infos = [seqio.ShardInfo(shard, shards) for shard in range(shards)]
    datasets = [task.get_dataset(shard_info=info, **options) for info in infos]
    return [[row["places"] for row in dataset.as_numpy_iterator()] for dataset in datasets]


def timesteps(rows):
    """Which timesteps there are, in order."""
    windows = np.concatenate(rows)
    tokens, kinds = (windows[:, PLACES.index(name), : 2 * TIMESTEP] for name in ("tokens", "token_type"))
    steps, used = tokens.reshape(-1, TIMESTEP), kinds.reshape(-1, TIMESTEP)[:, 0] != TokenType.PADDING
    return [step.tobytes() for step in steps[used]]


def pieces(rows):
    """How many pieces of text there are."""
    return int((np.concatenate(rows)[:, PLACES.index("token_type")] == TokenType.TEXT).sum())


@pytest.fixture(scope="module")
def in_order():
    """One pass over the states, in the order of the files."""
    (rows,) = read(STATES, shuffle=False)
    return timesteps(rows)


def test_a_pass_holds_every_timestep_once_whoever_reads_it(in_order, one_group):
    recorded = read_task(one_group.directory, TASKS[0])
    assert seqio.get_mixture_or_task(STATES).num_input_examples("train") == recorded.examples("train")
    for options in ({"seed": 1}, {}):
        parts = [timesteps(rows) for rows in read(STATES, shards=2, **options)]
        assert sorted(step for part in parts for step in part) == sorted(in_order), options
        assert min(map(len, parts)) > len(in_order) // 3, "equal parts, whole windows"


def test_every_epoch_is_a_pass_in_an_order_of_its_own(in_order):
    (rows,) = read(STATES, seed=1, num_epochs=2)
    read_twice = timesteps(rows)
    assert collections.Counter(read_twice) == collections.Counter(in_order * 2)
    first, second = read_twice[: len(in_order)], read_twice[len(in_order) :]
    assert sorted(first) == sorted(second)
    assert first != second
    (again,) = read(STATES, seed=1)
    assert timesteps(again) == first
    (unshuffled,) = read(STATES, shuffle=False, num_epochs=2)
    assert timesteps(unshuffled) == in_order * 2


def test_without_a_seed_every_time_is_another():
    (first,), (second,) = read(STATES), read(STATES)
    assert timesteps(first) != timesteps(second)


def test_without_an_end_passes_follow_each_other(in_order):
    endless = seqio.get_mixture_or_task(STATES).get_dataset(seed=1, num_epochs=None)
    three_passes = endless.take(3 * len(in_order) // 4)
    counts = collections.Counter(timesteps([row["places"] for row in three_passes.as_numpy_iterator()]))
    assert set(counts) == set(in_order)
    assert max(counts[step] / in_order.count(step) for step in counts) <= 4


def test_text_is_whole_in_a_pass_too():
    (rows,) = read(TEXT, shuffle=False)
    parts = read(TEXT, shards=2, seed=1)
    assert sum(pieces(part) for part in parts) == pieces(rows)
    assert all(pieces(part) > 0 for part in parts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shuffle_buffer_size": 10}, r"stream.shuffle_buffer = 64; found shuffle_buffer_size=10"),
        ({"split": "test"}, r"task 'gato.text.notes': expected a split of"),
        ({"num_epochs": None, "shard_info": seqio.ShardInfo(0, 5000)}, "cannot be dealt to 5000 shards"),
        ({"sequence_length": {"frames": 3}}, "expected 0 for 'frames'"),
    ],
)
def test_what_cannot_be_had_is_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        seqio.get_mixture_or_task(TEXT).get_dataset(**options)


def test_a_cache_that_does_not_fit_is_named(tmp_path):
    (tmp_path / TASKS[1]).mkdir()
    (tmp_path / TASKS[1] / "manifest.json").write_text("{}")
    seqio.add_global_cache_dirs([str(tmp_path)])
    with pytest.raises(DataError, match=rf"none that fits\n.*{TASKS[1]}/manifest.json"):
        seqio.get_mixture_or_task(TEXT).get_dataset(use_cached=True)


def test_a_cache_of_raw_frames_is_for_the_stream(tmp_path):
    data, cache = write(tmp_path / "data", POINT, [episode(POINT, 4)]), tmp_path / "cache"
    group = RowGroup((POINT.name,), window_length=26, patches=4)
    config = DataConfig(str(data), TokenConfig(), MixtureConfig({POINT.name: 1.0}, {"all": group}, 1))
    write_cache(config, cache, workers=1, raw_frames=True)
    register(dataclasses.replace(config, cache=str(cache)), "raw")
    with pytest.raises(DataError, match=r"task raw.control.point: use_cached=True.*none that fits\n.*holds raw frames"):
        seqio.get_mixture_or_task("raw").get_dataset(use_cached=True, seed=0)


def test_tasks_are_not_taken_apart():
    with pytest.raises(ValueError, match="its preprocessors depend on each other"):
        seqio.get_mixture_or_task(TEXT).replace(name="other")
