"""How tasks are drawn: as often as their weights say, and on every shard independently of the others."""

import numpy as np
import pytest
import seqio
import tensorflow as tf

from data_pipelines.mixtures.named import NAMED
from data_pipelines.seqio_tasks.base import SeededMixture, SeededTask, fold_name
from data_pipelines.stream.stream import shard_seed

SHARDS, ROWS = 64, 8
SHARES = NAMED["gato"].shares
"""The 24 rows of Table 1."""


def numbered_task(index: int) -> SeededTask:
    """Endless rows that hold the task's number."""

    def rows(split, shuffle_files, seed=None):
        return tf.data.Dataset.from_tensors({"task_id": [index]})

    source = seqio.FunctionDataSource(rows, splits=["train"], num_input_examples={"train": 10_000})
    features = {"task_id": seqio.Feature(seqio.PassThroughVocabulary(size=0), dtype=tf.int32, add_eos=False)}
    return SeededTask(f"row_{index:02d}", source, features, preprocessors=[], shuffle_buffer_size=1)


@pytest.fixture(scope="module")
def batches():
    """Tasks of 40 global batches of 64 shards x 8 rows: [step, shard, row]."""
    mixture = SeededMixture("table_1", [numbered_task(index) for index in range(len(SHARES))])

    @tf.function(autograph=False)
    def build(seed, rates):
        dataset = mixture.with_rates(rates).get_dataset(
            split="train", seed=seed, num_epochs=None, trim_output_features=False, try_in_mem_cache=False
        )
        return dataset.map(lambda row: row["task_id"][0]).batch(ROWS)

    shares = list(SHARES.values())
    rates = tf.constant([shares[int(task.name[-2:])] for task in mixture.tasks], tf.float32)
    drawn = []
    for shard in range(SHARDS):
        rows = build(tf.constant(shard_seed(0, 0, shard), tf.int64), rates)
        drawn.append(list(rows.take(40).as_numpy_iterator()))
    return np.asarray(drawn).transpose(1, 0, 2)


def test_realised_rates_are_the_declared_ones(batches):
    expected = np.asarray(list(SHARES.values())) * batches.size
    chi_square = ((np.bincount(batches.ravel(), minlength=24) - expected) ** 2 / expected).sum()
    assert chi_square < 49.7, "23 degrees of freedom, p = 0.001"


def test_shards_draw_independently(batches):
    """Shares of a task vary from batch to batch as 512 independent draws do, not as 8 that all shards repeat."""
    counts = np.stack([np.bincount(batch.ravel(), minlength=24) for batch in batches])
    shares = np.asarray(list(SHARES.values()))
    error = np.sqrt(((counts / (SHARDS * ROWS) - shares) ** 2).mean(axis=0))
    independent = np.sqrt(shares * (1 - shares) / (SHARDS * ROWS))
    ratio = np.sqrt((error**2).sum() / (independent**2).sum())
    assert 1 / 1.5 < ratio < 1.5
    # What SeqIO does by itself, one seed for all shards, is eight times worse, so the bound tells the two apart.
    same = np.stack([np.bincount(np.tile(batch[0], SHARDS), minlength=24) for batch in batches])
    assert np.sqrt(((same / (SHARDS * ROWS) - shares) ** 2).sum(axis=1).mean() / (independent**2).sum()) > 5


def test_names_have_their_own_seeds():
    seeds = {fold_name(7, name) for name in (*SHARES, "mixing")}
    assert len(seeds) == len(SHARES) + 1
    assert max(seeds) < 2**63
