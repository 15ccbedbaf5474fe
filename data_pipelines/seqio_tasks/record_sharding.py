"""Which records of a task's files each virtual shard reads, and in which runs.

A shard has an equal part of the bytes. It is cut into runs, at other places and read in another order in every
segment of the stream: a stream starts afresh there, and would otherwise see the beginning of the files for ever.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data_pipelines.sequences.numbering import numbered
from data_pipelines.storage.recorded_tasks import Shard

RUNS = 64
"""Runs of a shard's records, at most."""

RECORDS = 32
"""Records of a run, at least, so that opening it costs little. Fewer are shuffled in a buffer anyway."""

READ_BUFFER = 256 * 1024
"""Bytes read from a file at a time."""


def numbered_records(
    files: Sequence[Shard],
    *,
    first: int = 0,
    shard: tf.Tensor | int = 0,
    shards: int = 1,
    seed: tf.Tensor | int | None = None,
) -> tf.data.Dataset:
    """(number, serialised record) of one shard's records, each once.

    Args:
      files: of one split, in order.
      first: number of the first record of all.
      shard, shards: which part of the records; a part may be empty where there are fewer records than shards.
      seed: of the order; None = the order of the files.
    """
    starts, ends = runs(files, shard=shard, shards=shards, seed=seed)
    entries = np.concatenate(
        [
            begin + file.framing.every * np.arange(len(file.framing.entries))
            for begin, file in zip(file_begins(files), files, strict=False)
        ]
    )
    offsets = tf.constant([offset for file in files for offset in file.framing.entries], tf.int64)
    paths = tf.constant([str(file.path) for file in files for _ in file.framing.entries])
    entry = tf.searchsorted(tf.constant(entries, tf.int64), starts, side="right") - 1
    skips = starts - tf.gather(tf.constant(entries, tf.int64), entry)
    columns = (tf.gather(paths, entry), tf.gather(offsets, entry), skips, ends - starts, starts + first)

    def read(
        path: tf.Tensor, offset: tf.Tensor, skip: tf.Tensor, take: tf.Tensor, number: tf.Tensor
    ) -> tf.data.Dataset:
        variant = tf.raw_ops.TFRecordDatasetV2(
            filenames=path[None], compression_type="", buffer_size=READ_BUFFER, byte_offsets=offset[None]
        )
        records = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
        return numbered(records.skip(skip).take(take), number)

    dataset = tf.data.Dataset.from_tensor_slices(columns)
    if seed is not None:
        dataset = dataset.shuffle(RUNS + len(files) + 1, seed=seed)
    return dataset.interleave(read, cycle_length=1 if seed is None else 4, block_length=1).with_options(_options())


def runs(
    files: Sequence[Shard], *, shard: tf.Tensor | int, shards: int, seed: tf.Tensor | int | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """First records and ends (exclusive) of a shard's runs, int64, ascending; none goes on in another file."""
    begins = file_begins(files)
    shard, bounds = tf.cast(shard, tf.int64), tf.constant(shard_bounds(files, shards))
    low, high = bounds[shard], bounds[shard + 1]
    size = high - low
    count = tf.clip_by_value(size // RECORDS, 1, RUNS)
    shift = tf.constant(0, tf.int64)
    if seed is not None:
        key = tf.stack([tf.cast(seed, tf.int64), tf.constant(0, tf.int64)])
        shift = tf.random.stateless_uniform([], key, 0, tf.maximum(size, 1), tf.int64)
    cuts = low + (shift + tf.range(count) * size // count) % tf.maximum(size, 1)
    cuts = tf.concat([cuts, low[None], tf.constant(begins)], axis=0)
    cuts = tf.sort(tf.unique(tf.boolean_mask(cuts, (low <= cuts) & (cuts < high))).y)
    return cuts, tf.concat([cuts[1:], high[None]], axis=0)[: tf.size(cuts)]


def shard_bounds(files: Sequence[Shard], shards: int) -> np.ndarray:
    """First record of each shard's part, and the number of all, int64 [shards + 1].

    Parts hold equally many bytes, not records: every shard deals equally many rows, and long documents make more of
    them. A part has one record at least, where there are as many.
    """
    begins = file_begins(files)
    records = [begin + file.framing.every * np.arange(len(file.framing.entries)) for begin, file in zip(begins, files)]
    sizes = np.cumsum([0, *(file.size for file in files)])
    places = [size + np.asarray(file.framing.entries) for size, file in zip(sizes, files)]
    total, share = begins[-1], sizes[-1] * np.arange(shards + 1) / shards
    bounds = np.interp(share, [*np.concatenate(places), sizes[-1]], [*np.concatenate(records), total])
    index = np.arange(shards + 1)
    if total < shards:
        return total * index // shards
    # Rounding and huge records must not leave a part empty: a pass over nothing never ends.
    rising = np.maximum.accumulate(np.round(bounds).astype(np.int64) - index) + index
    return np.minimum(rising, total - (shards - index))


def file_begins(files: Sequence[Shard]) -> np.ndarray:
    """Number of the first record of each file, from 0, and of all records."""
    return np.cumsum([0, *(file.records for file in files)], dtype=np.int64)


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # TensorFlow 2.21's crashes the process where it meets a skip or take whose count is a tensor.
    options.experimental_optimization.noop_elimination = False
    return options
