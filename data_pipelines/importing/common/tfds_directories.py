"""Prepared TFDS directories: found, opened, compared with what they declare, and their damage told in one line.

TFDS looks at none of this before it reads, and its errors name neither file nor feature. Imports TensorFlow.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf.json_format import ParseError

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.source_files import refuse_pointers
from data_pipelines.read_json import read_json
from data_pipelines.storage.recorded_tasks import DataError, Shard, check_tfrecord, corrupt_files

_INFO, _FEATURES = "dataset_info.json", "features.json"
_LACKS = re.compile(r"Feature: (\S+) .*?is required but could not be found")
_MISFIT = re.compile(r"Error while parsing feature with key (\S+): (.*)")
_NOISE = re.compile(r"^\{\{.*?\}\} *|Error in user-defined function passed to .*?: Iterator::\S+ *| *\[Op:.*$")
"""What TensorFlow puts around the sentence that tells something."""


def find_directories(source: Path) -> list[Path]:
    """Folders with a data set's description: `source` itself, or all below it, in order."""
    if (source / _INFO).is_file():
        return [source]
    return sorted(path.parent for path in source.rglob(_INFO))


def open_directory(directory: Path) -> Any:
    """TFDS's builder of a prepared directory. Raises `SourceError` naming the file that is missing or broken."""
    if (directory / "state.json").is_file():
        raise SourceError(f"{directory}: a folder of Hugging Face's `save_to_disk`, not of TFDS; use --format arrow")
    refuse_pointers([directory / _INFO, directory / _FEATURES])
    for name in (_INFO, _FEATURES):
        try:
            read_json(directory / name, "TFDS's description of a data set")
        except (OSError, ValueError) as error:
            raise SourceError(str(error)) from error
    try:
        return tfds.builder_from_directory(directory)
    except (ParseError, ValueError, LookupError, TypeError, AttributeError, ImportError) as error:
        raise SourceError(f"{directory}: TFDS cannot open it: {first_line(error)}") from error


def split_files(builder: Any, split: str, directory: Path) -> tuple[Shard, ...]:
    """The files of a split, whole and with as many records as declared; formats other than TFRecord are not looked at.

    Raises:
      SourceError: ArrayRecord, which TFDS cannot stream; a file is missing, too many, cut short, or holds another
        number of records.
    """
    info, kind = builder.info.splits[split], builder.info.file_format
    if kind is tfds.core.FileFormat.ARRAY_RECORD:
        raise SourceError(
            f"{directory}: expected TFRecord files, found ArrayRecord, which TFDS does not stream; prepare the data "
            "set again with file_format='tfrecord'"
        )
    if kind is not tfds.core.FileFormat.TFRECORD:
        return ()
    paths = [Path(path) for path in info.filepaths]
    declared = f"{directory / _INFO} declares {len(paths)} file(s) of split {split!r}"
    if missing := [path.name for path in paths if not path.is_file()]:
        raise SourceError(f"{declared}, of which are missing: {_some(missing)}")
    refuse_pointers(paths)
    beside = {path.name for path in directory.glob(f"{builder.name}-{split}.tfrecord*")}
    if strangers := sorted(beside - {path.name for path in paths}):
        raise SourceError(f"{declared}, found besides: {_some(strangers)}")
    try:
        return tuple(
            Shard(path, count, check_tfrecord(path, count))
            for path, count in zip(paths, info.shard_lengths, strict=True)
            if count
        )
    except DataError as error:
        raise SourceError(f"{error} ({_INFO} declares the number)") from error


@contextlib.contextmanager
def reading(directory: Path, shards: Sequence[Shard]) -> Iterator[None]:
    """Tells what TensorFlow meets while the records of a directory are read as one line: file, expected, found."""
    try:
        yield
    except tf.errors.OpError as error:
        if damaged := corrupt_files(shards):
            raise SourceError(
                f"{_some(damaged)}: a record does not match its checksum ({first_line(error)})"
            ) from error
        whole = str(error)
        if match := _LACKS.search(whole):
            raise SourceError(
                f"{directory}: {_FEATURES} declares {match[1]!r}, expected in every record, found one without it"
            ) from error
        if match := _MISFIT.search(whole):
            raise SourceError(
                f"{directory}: {match[1]!r} is not what {_FEATURES} declares: {match[2].strip()}"
            ) from error
        raise SourceError(f"{directory}: cannot be read: {type(error).__name__}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """The sentence of an error that tells something."""
    lines = str(error).strip().splitlines()
    return _NOISE.sub("", lines[0]).strip() if lines else type(error).__name__


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
