"""What a cache holds, whether it fits an experiment, and how its records become tokens again."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines import config_json
from data_pipelines.config import DataConfig
from data_pipelines.differences import difference_lines
from data_pipelines.fingerprint import describe_files, needs_text, text_model
from data_pipelines.read_json import read_json
from data_pipelines.seqio_tasks.sources import RecordFileSource
from data_pipelines.spec import Kind
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask, Shard, check_tfrecord
from data_pipelines.tokenizers.layout import TimestepLayout

MANIFEST = "manifest.json"
"""Written last; a task without one is not cached."""

KINDS = ("control", "text")
"""Kinds of tasks whose tokens can be cached. Pictures are kept encoded in the data, so there is little to save."""


def made_from(config: DataConfig, task: RecordedTask, *, raw_frames: bool = False) -> dict[str, Any]:
    """Everything that the cached tokens of a task depend on, JSON-able."""
    description: dict[str, Any] = {
        "tokens": config_json.encode(config.tokens),
        "files": {split: describe_files(task, split) for split in sorted(task.shards)},
    }
    if needs_text(config, task):
        description["text_model"] = text_model(config)
    if raw_frames and task.spec is not None and any(item.kind is Kind.IMAGE for item in task.spec.observation):
        description["frames"] = "raw"
    return json.loads(json.dumps(description))


def token_dtype(config: DataConfig) -> np.dtype:
    """The smallest unsigned type that holds every id, and its largest value as the mark of padding."""
    return np.dtype("<u2" if config.tokens.vocabulary.size < 2**16 - 1 else "<u4")


def file_name(split: str, index: int, count: int) -> str:
    """Name of a cached file, as SeqIO names them."""
    return f"{split}.tfrecord-{index:05d}-of-{count:05d}"


def encode(example: Mapping[str, np.ndarray], dtype: np.dtype) -> bytes:
    """A tokenised example {tokens, targets, frames} or {tokens} as a serialised `tf.train.Example`."""

    def pack(values: np.ndarray) -> bytes:
        return np.where(values < 0, np.iinfo(dtype).max, values).astype(dtype).tobytes()

    values = {"tokens": [pack(example["tokens"])]}
    if "targets" in example:
        same = np.array_equal(example["tokens"], example["targets"])
        values["targets"] = [b"" if same else pack(example["targets"])]
        values["frames"] = example["frames"].ravel().tolist()
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=items)) for name, items in values.items()}
    example_proto = tf.train.Example(features=tf.train.Features(feature=features))
    return example_proto.SerializeToString(deterministic=True)  # Else the order of the features is that of a hash.


@dataclasses.dataclass(frozen=True)
class CachedTask:
    """A task whose files are those of the cache.

    Args:
      task: the recorded task, with the cached files for its own.
      layout: of a control task's timesteps, else None.
      dtype: of the stored ids.
    """

    task: RecordedTask
    layout: TimestepLayout | None
    dtype: np.dtype


def read_cache(config: DataConfig, task: RecordedTask) -> CachedTask:
    """Checks the cache of one task against the data and the settings.

    Raises:
      DataError: there is no finished cache, it was made from other data or settings, or a file is damaged.
    """
    directory, manifest = _manifest(config, task)
    differences = difference_lines(manifest["made_from"], made_from(config, task, raw_frames=_has_raw_frames(manifest)))
    if differences:
        listing = "\n  ".join(differences)
        raise DataError(f"data.cache: {directory} was made from something else (cached -> here):\n  {listing}")
    shards = {}
    for split, files in manifest["files"].items():
        shards[split] = tuple(_shard(directory / file["name"], file["records"], file["bytes"]) for file in files)
    layout = None if task.spec is None else TimestepLayout.build(task.spec, config.tokens)
    return CachedTask(dataclasses.replace(task, shards=shards), layout, np.dtype(manifest["dtype"]))


def raw_example_bytes(config: DataConfig, task: RecordedTask) -> float | None:
    """Mean size of a task's cached examples if their frames are raw, else None. Raises `DataError` without a cache."""
    _, manifest = _manifest(config, task)
    if not _has_raw_frames(manifest):
        return None
    files = [file for split in manifest["files"].values() for file in split]
    return sum(file["bytes"] for file in files) / sum(file["records"] for file in files)


def _manifest(config: DataConfig, task: RecordedTask) -> tuple[pathlib.Path, dict[str, Any]]:
    directory = pathlib.Path(config.cache) / task.name
    path = directory / MANIFEST
    if not path.is_file():
        raise DataError(f"data.cache: task {task.name!r} has no finished cache in {config.cache!r}; run `gato cache`")
    return directory, read_manifest(path)


def read_manifest(path: pathlib.Path) -> dict[str, Any]:
    """The manifest of a cached task. Raises `DamagedFile` naming it."""
    remedy = "delete it and run `gato cache` again, which keeps the files that are whole"
    return read_json(
        path, "the manifest of a cached task", keys={"made_from": dict, "dtype": str, "files": dict}, remedy=remedy
    )


def _has_raw_frames(manifest: Mapping[str, Any]) -> bool:
    return manifest["made_from"].get("frames") == "raw"


def _shard(path: pathlib.Path, records: int, size: int) -> Shard:
    if not path.is_file():
        raise DataError(f"data.cache: expected {path}, found no such file; run `gato cache` again")
    framing = check_tfrecord(path, records)
    if framing.size != size:
        raise DataError(f"data.cache: {path} has {framing.size} bytes, expected {size}")
    return Shard(path, records, framing)


class CachedSource(RecordFileSource):
    """Tokenised examples: of control tasks as `sequences.control` gives them, of texts {"tokens"}."""

    def __init__(self, cached: CachedTask, *, episode_buffer: int = 64):
        super().__init__(cached.task, episode_buffer=episode_buffer)
        self._cached = cached

    def parse(self, record: tf.Tensor) -> dict[str, Any]:
        layout = self._cached.layout
        one = tf.io.FixedLenFeature([], tf.string)
        if layout is None:
            return {"tokens": self._ids(tf.io.parse_single_example(record, {"tokens": one})["tokens"])}
        spec = {"tokens": one, "targets": one, "frames": tf.io.VarLenFeature(tf.string)}
        example = tf.io.parse_single_example(record, spec)
        tokens = tf.reshape(self._ids(example["tokens"]), [-1, layout.length])
        stored = example["targets"]
        targets = tf.cond(stored == "", lambda: tokens, lambda: tf.reshape(self._ids(stored), [-1, layout.length]))
        images = sum(place.item.kind is Kind.IMAGE for place in layout.places)
        frames = tf.reshape(example["frames"].values, [tf.shape(tokens)[0], images])
        return {"tokens": tokens, "targets": targets, "frames": frames}

    def _ids(self, stored: tf.Tensor) -> tf.Tensor:
        dtype = self._cached.dtype
        raw = tf.io.decode_raw(stored, tf.uint16 if dtype.itemsize == 2 else tf.int32)
        ids = tf.cast(raw, tf.int32)
        return tf.where(ids == np.iinfo(dtype).max, -1, ids) if dtype.itemsize == 2 else ids


def batch_documents(dataset: tf.data.Dataset, *, documents: int) -> tf.data.Dataset:
    """Cached documents in the batches of `sequences.text.tokenize_documents`, which stay as they are."""
    if "sizes" in dataset.element_spec:
        return dataset

    def flat(batch: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        return {"tokens": batch.flat_values, "sizes": tf.cast(batch.row_lengths(), tf.int32)}

    return dataset.map(lambda example: example["tokens"]).ragged_batch(documents).map(flat)
