"""The files that every format has or is made of: config.json, and tensors, which stream one by one to disk."""

import shutil
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from data_pipelines import atomic_files
from data_pipelines.config_json import encode
from gato_jax.export.common.writing import Entry, Written, write_tensors
from gato_jax.training.checkpoints.checkpoint import versions
from gato_jax.weights import digests
from gato_jax.weights.config_file import RECORD, shape_of
from gato_jax.weights.source import FORMAT, OPTIMIZER, STEM, Source
from gato_jax.weights.tensor_names import ExportError, tensors_of
from gato_jax.weights.weights import EXPORT_CONFIG

SHARD_SIZE = 5_000_000_000
CARD = "README.md"


def write_config(source: Source, directory: Path, *, dtype: str, more: Mapping[str, object]) -> None:
    """Writes config.json: the shape for other runtimes, and under "gato" all that a way back needs.

    Args:
      more: what a format adds.
    """
    shape = {
        "model_type": "gato",
        "architectures": ["GatoModel"],
        "dtype": dtype,
        **shape_of(source.experiment),
        **more,
    }
    training = {name: source.meta[name] for name in RECORD if name in source.meta}
    own = {
        "format": FORMAT,
        "experiment": encode(source.experiment),
        "step": int(source.meta["step"]),
        "training": training,
        "versions": versions(),
        "digests": digests.FILE,
    }
    atomic_files.write_json(directory / EXPORT_CONFIG, {**shape, "gato": own})


def write_weights(
    source: Source, directory: Path, *, dtype: str, shard_size: int = SHARD_SIZE, with_optimizer: bool = False
) -> None:
    """Writes the tensors, or those that an interrupted call left out, and their digests; on stderr, how far it is.

    Args:
      shard_size: bytes of a file of tensors, above which they are split and an index is written.
      with_optimizer: the optimizer's state too.
    """
    tensors = tensors_of(source.experiment.model, source.experiment.data.tokens.vocabulary)
    entries = [Entry(tensor.name, tensor.shape, jnp.dtype(dtype)) for tensor in tensors]
    moments = [Entry(name, tuple(leaf.shape), np.dtype(leaf.dtype)) for name, leaf in source.optimizer.items()]
    total = sum(entry.size for entry in (*entries, *(moments if with_optimizer else ())))
    _check_room(directory, total)
    meter = _Meter(total)
    # transformers asks for this word.
    metadata = {"format": "pt"}
    written = Written(directory)
    write_tensors(
        directory, STEM, entries, source.read, limit=shard_size, metadata=metadata, progress=meter, written=written
    )
    if with_optimizer:
        read = source.read_optimizer
        write_tensors(
            directory, OPTIMIZER, moments, read, limit=shard_size, metadata=metadata, progress=meter, written=written
        )
    _write_digests(source, directory, written, files={})


def _check_room(directory: Path, total: int) -> None:
    """Raises `ExportError` where the disk has no room for the tensors that are not there yet."""
    there = sum(path.stat().st_size for path in directory.glob("*.safetensors"))
    free = shutil.disk_usage(directory).free
    if total - there > free:
        raise ExportError(f"{directory.parent}: expected {total - there:,} bytes of room on the disk, found {free:,}")


def _write_digests(source: Source, directory: Path, written: Written, **more: object) -> None:
    """Writes digests.json: of the tensors as they were written, and what more there is to say."""
    contents = {
        "shape": shape_of(source.experiment),
        "tensors": written.digests(STEM),
        "optimizer": written.digests(OPTIMIZER),
        **more,
    }
    atomic_files.write_json(directory / digests.FILE, contents)


def write_file_digests(source: Source, directory: Path, *, without: Collection[str], job: str) -> None:
    """Writes digests.json once more, when everything is there: with the digests of all files beside the tensors.

    Args:
      without: names of files that are not a part of the export.
      job: by which the same call knows that it is done.
    """
    without = {*without, digests.FILE, EXPORT_CONFIG, CARD}
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    files = {
        str(path.relative_to(directory)): digests.file_digest(path)
        for path in paths
        if path.name not in without and not path.name.startswith((f"{STEM}.safetensors", f"{STEM}-", OPTIMIZER))
    }
    _write_digests(source, directory, Written(directory), files=files, job=job)


def say(text: str) -> None:
    """A line on stderr."""
    print(f"export: {text}", file=sys.stderr, flush=True)


class _Meter:
    """Bytes written, as a line on stderr every two seconds."""

    def __init__(self, total: int):
        self._total, self._done, self._started = total, 0, time.monotonic()
        self._shown = self._started

    def __call__(self, size: int) -> None:
        self._done += size
        now = time.monotonic()
        if now - self._shown < 2 and self._done < self._total:
            return
        self._shown = now
        rate = self._done / max(now - self._started, 1e-9)
        left = (self._total - self._done) / max(rate, 1)
        say(
            f"{self._done / 1e9:.2f} of {self._total / 1e9:.2f} GB, {rate / 1e6:.0f} MB/s, "
            f"eta {int(left) // 60}:{int(left) % 60:02d}"
        )
