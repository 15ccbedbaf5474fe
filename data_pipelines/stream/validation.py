"""Held-out rows of one task, once, in file order."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from data_pipelines.config import DataConfig
from data_pipelines.schema import Batch
from data_pipelines.seqio_tasks.explain_failures import explain
from data_pipelines.seqio_tasks.group_pipelines import Pipelines


def tf_options(threads: int) -> tf.data.Options:
    """How pipelines run: deterministic, on a pool of their own, not rewritten."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    options.autotune.enabled = False
    options.deterministic = True
    # Rewriting the graph of some hundred datasets takes ten times as long as running it unrewritten.
    options.experimental_optimization.apply_default_optimizations = False
    return options


def validation_batches(
    config: DataConfig, task: str, limit: int, *, pipelines: Pipelines | None = None
) -> Iterator[Batch]:
    """At most `limit` batches of one task's validation split, once, in file order, as many rows as a training step has.

    Rows that the last batch lacks are padding (`segment_ids` 0). Raises `ValueError` when there is no such split, and
    `TimestepError` on recorded values that cannot become tokens. `pipelines` are those of this configuration, for who
    asks more than once.
    """
    pipelines = pipelines or Pipelines.build(config)
    name = config.mixture.group_of(task)
    group = pipelines.groups[name]
    if not pipelines.recorded[task].examples("validation"):
        raise ValueError(f"task {task!r} has no validation split, found {sorted(pipelines.recorded[task].shards)}")
    only = next(candidate for candidate in group.mixture.tasks if candidate.name == task)
    rows = config.mixture.rows(config.stream.virtual_shards)[name]
    dataset = only.get_dataset(
        split="validation", shuffle=False, seed=None, num_epochs=1, trim_output_features=False, try_in_mem_cache=False
    )
    dataset = group.convert(dataset.batch(rows)).take(limit).with_options(tf_options(config.stream.threads))
    for batch in _explained(dataset, config, pipelines):
        missing = rows - len(batch["task_id"])
        if missing:
            empty = group.group.zeros(missing)
            batch = {key: np.concatenate([value, empty[key]]) for key, value in batch.items()}
        yield batch


def _explained(dataset: tf.data.Dataset, config: DataConfig, pipelines: Pipelines) -> Iterator[dict[str, np.ndarray]]:
    try:
        yield from dataset.as_numpy_iterator()
    except tf.errors.OpError as error:
        raise explain(error.message, pipelines.recorded, config.tokens, config.directory) or error from error
