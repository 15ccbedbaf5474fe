"""Folders of Arrow files as `save_to_disk` of Hugging Face's `datasets` leaves them, read through that library.

No TensorFlow. Nothing is downloaded, and nothing is written beside the data.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.extras import needed
from data_pipelines.importing.common.rules import check_split
from data_pipelines.importing.common.source_files import refuse_pointers
from data_pipelines.read_json import read_json

_STATE, _SPLITS = "state.json", "dataset_dict.json"
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""How a stream of Arrow's IPC format ends. One that is cut between two batches reads as a shorter one."""


@dataclasses.dataclass(frozen=True)
class ArrowTable:
    """One split of a folder.

    Args:
      dataset: `datasets.Dataset`, mapped into memory.
      folder: of the split.
      files: all that it is made of.
    """

    dataset: Any
    folder: Path
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def schema(self) -> pyarrow.Schema:
        return self.dataset.data.schema

    def __len__(self) -> int:
        return len(self.dataset)

    def rows_from(self, start: int, columns: Sequence[str], at_a_time: int) -> Iterator[pyarrow.RecordBatch]:
        """Rows from number `start` on. Raises `SourceError` for columns that are not there, and damage."""
        if missing := sorted(set(columns) - set(self.schema.names)):
            raise SourceError(f"{self.folder}: no columns {missing}, found {self.schema.names}")
        rows = self.dataset.select_columns(list(columns)).with_format("arrow")
        for first in range(start, len(rows), at_a_time):
            try:
                table = rows[first : first + at_a_time]
                table.validate(full=True)
            except (OSError, pyarrow.ArrowException) as error:
                raise SourceError(f"{self.folder}: rows from {first} on are damaged ({error})") from error
            yield from table.combine_chunks().to_batches()

    def whole_columns(self, columns: Sequence[str]) -> pyarrow.Table:
        """All rows of some columns."""
        batches = list(self.rows_from(0, columns, 1 << 16))
        return pyarrow.Table.from_batches(batches) if batches else self.schema.empty_table().select(list(columns))


def is_folder(source: Path) -> bool:
    """Whether `save_to_disk` wrote it."""
    return (source / _STATE).is_file() or (source / _SPLITS).is_file()


def open_folder(source: Path, split: str) -> tuple[ArrowTable, tuple[str, ...]]:
    """A split of a folder, and the names of the splits that there are, none where the folder is one data set.

    Raises:
      SourceError: `datasets` is not installed; not such a folder; no such split; a file is missing or cut short.
    """
    library = needed("datasets", "folders of `save_to_disk`")
    splits: tuple[str, ...] = ()
    if (source / _SPLITS).is_file():
        splits = tuple(_json(source / _SPLITS, "splits"))
        check_split(str(source), split, splits)
    folder = source / split if splits else source
    if not (folder / _STATE).is_file():
        contents = sorted(path.name for path in source.iterdir())[:8] if source.is_dir() else "a file"
        raise SourceError(
            f"{source}: expected a folder as Hugging Face's `save_to_disk` leaves it ({_STATE}, or {_SPLITS} and a "
            f"folder for each split), found {contents}"
        )
    files = [folder / entry["filename"] for entry in _json(folder / _STATE, "_data_files")]
    refuse_pointers([folder / _STATE, *files])
    for path in files:
        _check_end(path)
    try:
        dataset = library.load_from_disk(str(folder))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, pyarrow.ArrowException) as error:
        raise SourceError(f"{folder}: `datasets` cannot open it: {type(error).__name__}: {error}") from error
    return ArrowTable(dataset, folder, (folder / _STATE, *files)), splits


def _json(path: Path, key: str) -> Any:
    try:
        return read_json(path, "a description of `save_to_disk`", keys=(key,))[key]
    except (OSError, ValueError) as error:
        raise SourceError(str(error)) from error


def _check_end(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - len(_END)))
            mark = file.read()
    except OSError as error:
        raise SourceError(f"{path}: {_STATE} names it, but it cannot be read ({error.strerror})") from error
    if mark != _END:
        raise SourceError(f"{path}: expected Arrow's mark at the end of a file, found {mark!r}: it is cut short")
