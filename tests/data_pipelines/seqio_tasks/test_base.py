"""How tasks are mixed: in the turns that were dealt, and each from a seed of its own."""

import numpy as np
import seqio
import tensorflow as tf

from data_pipelines.mixtures.named import NAMED
from data_pipelines.seqio_tasks.base import SeededMixture, SeededTask, fold_name

SHARES = NAMED["gato"].shares
"""The 24 rows of Table 1."""


def numbered_task(index: int) -> SeededTask:
    """Endless rows that hold the task's number, and a draw of its own."""

    def rows(split, shuffle_files, seed=None):
        draws = tf.data.Dataset.random(seed=seed).map(lambda draw: tf.cast(draw, tf.int32))
        return draws.map(lambda draw: {"task_id": [index, draw]})

    source = seqio.FunctionDataSource(rows, splits=["train"], num_input_examples={"train": 10_000})
    features = {"task_id": seqio.Feature(seqio.PassThroughVocabulary(size=0), dtype=tf.int32, add_eos=False)}
    return SeededTask(f"row_{index:02d}", source, features, preprocessors=[], shuffle_buffer_size=1)


def rows(mixture, count, seed=5):
    dataset = mixture.get_dataset(
        split="train", seed=seed, num_epochs=None, trim_output_features=False, try_in_mem_cache=False
    )
    return np.array([row["task_id"] for row in dataset.take(count).as_numpy_iterator()])


def test_rows_are_of_the_tasks_whose_turn_it_is():
    mixture = SeededMixture("some", [numbered_task(index) for index in range(3)])
    turns = [2, 0, 0, 1, 2, 2, 2, 1]
    dealt = rows(mixture.dealt(tf.constant(turns, tf.int64), {}), len(turns))
    assert dealt[:, 0].tolist() == turns
    assert len(rows(mixture.dealt(tf.constant(turns, tf.int64), {}), 100)) == len(turns), "and then there are no more"


def test_tasks_draw_from_seeds_of_their_own():
    dealt = rows(SeededMixture("some", [numbered_task(index) for index in range(3)]), 300)
    draws = [set(dealt[dealt[:, 0] == index, 1].tolist()) for index in range(3)]
    assert [len(drawn) for drawn in draws] == [100, 100, 100]
    assert not draws[0] & draws[1] | draws[1] & draws[2]


def test_names_have_their_own_seeds():
    seeds = {fold_name(7, name) for name in (*SHARES, "mixing")}
    assert len(seeds) == len(SHARES) + 1
    assert max(seeds) < 2**63
