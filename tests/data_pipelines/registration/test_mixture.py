"""Mixtures as a training script of T5X reads them: the rows of the stream, or passes that SeqIO mixes."""

import collections
import dataclasses
import functools

import numpy as np
import pytest
import seqio
import tensorflow as tf

import data_pipelines
from data_pipelines.caching.writer import write_cache
from data_pipelines.registration.mixture import _sample
from data_pipelines.schema import FIELDS
from data_pipelines.stream.stream import Stream
from tests.data_pipelines.registration.conftest import SHARDS, TASKS

STEPS = 7  # More than one segment of five steps.
PER_SHARD = 16 // SHARDS


def rows(shard, *, name="gato", epochs=None, count=STEPS * PER_SHARD, shuffle=True, seed=0, **options):
    """Training examples of a shard."""
    converter = data_pipelines.GatoFeatureConverter(name)
    dataset = seqio.get_dataset(
        name,
        converter.task_feature_lengths,
        converter,
        shuffle=shuffle,
        seed=seed,
        num_epochs=epochs,
        shard_info=seqio.ShardInfo(shard, SHARDS),
        **options,
    )
    return list(dataset.take(count).as_numpy_iterator())


def assert_equal(some, others):
    assert len(some) == len(others) > 0
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], name)


@pytest.fixture(scope="module")
def streamed(registered):
    """What a training script gets of each shard."""
    return [rows(shard) for shard in range(SHARDS)]


def test_a_training_script_of_t5x(registered):
    """`t5x.utils.get_dataset`, and what its trainer asks of the vocabulary and of each task; three do not divide 16."""
    mixture = seqio.get_mixture_or_task("gato")
    vocabulary = mixture.output_features["places"].vocabulary
    converter_class = functools.partial(data_pipelines.GatoFeatureConverter, "gato")
    batch_size, hosts, seed = 12, 3, 42
    dataset = seqio.get_dataset(
        mixture_or_task_name="gato",
        task_feature_lengths={"places": 90, "frames": 0, "task_id": 2},
        dataset_split="train",
        shuffle=True,
        num_epochs=None,
        feature_converter=converter_class(pack=False, use_custom_packing_ops=False),
        shard_info=seqio.ShardInfo(index=1, num_shards=hosts),
        use_cached=False,
        seed=seed,
    ).batch(batch_size // hosts, drop_remainder=True)
    batch = next(dataset.as_numpy_iterator())
    assert {name: (values.shape, values.dtype) for name, values in batch.items()} == {
        name: ((4, *registered.mixture.groups["all"].field_shape(name)), field.dtype) for name, field in FIELDS.items()
    }
    assert batch["tokens"].max() < vocabulary.vocab_size == registered.tokens.vocabulary.size
    assert {task.name for task in seqio.get_subtasks(mixture)} == {f"gato.{task}" for task in TASKS}


def test_the_rows_are_those_of_the_stream(registered, streamed):
    """Seed 0 is the configuration's, and it has as many virtual shards; the stream converts whole batches."""
    stream = Stream(registered)
    batches = [next(stream)["all"] for _ in range(STEPS)]
    stream.close()
    for shard in range(SHARDS):
        place = slice(shard * PER_SHARD, (shard + 1) * PER_SHARD)
        dealt = [{name: values[place][row] for name, values in b.items()} for b in batches for row in range(PER_SHARD)]
        assert_equal(streamed[shard], dealt)


def test_rates_are_the_weights(streamed):
    drawn = collections.Counter(int(row["task_id"]) for shard in streamed for row in shard)
    assert drawn[0] / drawn.total() == pytest.approx(0.75, abs=0.02)
    mixture = seqio.get_mixture_or_task("gato")
    assert {task.recorded: mixture.get_rate(task) for task in mixture.tasks} == {TASKS[0]: 3.0, TASKS[1]: 1.0}


def test_cached_rows_are_the_same_rows(registered, streamed, tmp_path):
    with pytest.raises(ValueError, match=r"task gato.control.states: use_cached=True expects.*found none that"):
        rows(0, use_cached=True)
    text = seqio.get_mixture_or_task("gato.text.notes")
    assert text.supports_caching
    assert text.cache_dir is None
    write_cache(registered, tmp_path / "cache", workers=1)
    data_pipelines.register(dataclasses.replace(registered, cache=str(tmp_path / "cache")))
    assert text.cache_dir == str(tmp_path / "cache" / TASKS[1])
    assert text.get_cached_stats("train")["examples"] == text.num_input_examples("train")
    assert_equal(rows(0, use_cached=True), streamed[0])
    for task in seqio.get_mixture_or_task("gato").tasks:
        read, recorded = (
            task.get_dataset(shuffle=False, use_cached=cached, shard_info=seqio.ShardInfo(1, SHARDS)).take(20)
            for cached in (True, False)
        )
        assert_equal(list(read.as_numpy_iterator()), list(recorded.as_numpy_iterator()))


def test_a_number_of_epochs_ends_with_the_first_task(registered):
    """SeqIO's own mixing: the pass over the states is shorter than what three rows to one of text would take."""
    states = seqio.get_mixture_or_task("gato.control.states")
    whole = sum(1 for _ in states.get_dataset(shard_info=seqio.ShardInfo(1, SHARDS)))
    drawn = collections.Counter(int(row["task_id"]) for row in rows(1, epochs=1, count=-1))
    assert drawn[0] == whole
    assert 0 < drawn[1] < whole


def test_shards_draw_tasks_of_their_own():
    """SeqIO gives every host one seed, under which all would draw the same task at the same position."""
    numbers = [tf.data.Dataset.from_tensors(number).repeat() for number in range(2)]
    drawn = [list(_sample(numbers, [1.0, 1.0], 5, shard=shard).take(40).as_numpy_iterator()) for shard in (0, 1, 0)]
    assert drawn[0] == drawn[2] != drawn[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "test"}, r"mixture 'gato:all': expected a split of \['train', 'validation'\], found 'test'"),
        ({"split": "train[:50%]"}, "parts of splits are not supported"),
        ({"num_epochs": 0}, "num_epochs: expected None .* at least 1, found 0"),
        ({"seed": -1}, r"seed: expected a number in \[0, 2\*\*60\), found -1"),
        ({"shard_info": seqio.ShardInfo(2, 2)}, r"expected an index in \[0, num_shards\), found 2 of 2"),
        (
            {"sequence_length": {"places": 64}},
            "expected 90 for 'places'.*found 64. Rows are neither trimmed",
        ),
        ({"sequence_length": {"inputs": 64}}, "expected {'places': 90.*found the unknown feature 'inputs'"),
        ({"passthrough_features": ["text"]}, r"options \['passthrough_features'\] have no meaning"),
        ({"num_epochs": None, "shard_info": seqio.ShardInfo(0, 5000)}, "shard 0 of 5000 is empty.*fewer shards"),
    ],
)
def test_what_cannot_be_had_is_refused_at_once(registered, options, message):
    with pytest.raises(ValueError, match=message):
        seqio.get_mixture_or_task("gato").get_dataset(**options)
