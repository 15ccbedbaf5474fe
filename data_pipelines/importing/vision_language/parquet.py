"""Parquet files: Hugging Face's layouts of text, captions and questions, and OBELICS' of interleaved web documents.

Pictures are bytes, {"bytes", "path"} or names of files that lie beside. URLs are counted, never followed.
No TensorFlow.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.importing.common import arrow_folders
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.rules import check_split
from data_pipelines.importing.common.source_files import file_stamp, parquet_files
from data_pipelines.importing.common.table_files import ParquetTable, TableFile
from data_pipelines.importing.vision_language.arrow_types import holds
from data_pipelines.importing.vision_language.columns import Columns
from data_pipelines.importing.vision_language.items import Item
from data_pipelines.importing.vision_language.readers import SourceOptions

_ROWS = 64
"""Read at a time: rows hold whole pictures."""


class Parquet:
    """Rows of parquet files as texts, captions or questions, by the columns there are.

    Args:
      source: a file, or a folder of them.
      options: `columns` where their names are not usual ones; `split` chooses files by their names, if any have one.
      documents: rows are interleaved documents (see `Interleaved`).

    Raises:
      SourceError: no such files or columns, or columns of other types; pictures that are URLs only; files that do not
        hold what they declare.
    """

    def __init__(self, source: Path, options: SourceOptions, *, documents: bool = False):
        self._files, self.stamp = self._open(source, options.split)
        self._rows = [len(file) for file in self._files]
        self._columns = Columns.find(self._files[0].schema.names, options, source, documents=documents)
        for file in self._files:
            types = {field.name: field.type for field in file.schema}
            if missing := set(self._columns.names.values()) - set(types):
                raise SourceError(
                    f"{source}: {file.name}: no columns {sorted(missing)}, which {self._files[0].name} has"
                )
            self._columns.check(types, holds, source / file.name if source.is_dir() else source)
        self.kind = self._columns.kind

    def _open(self, source: Path, split: str) -> tuple[Sequence[TableFile], Mapping[str, Any]]:
        """The files and their stamp. A folder of `save_to_disk` is read by any format of rows."""
        if arrow_folders.is_folder(source):
            return _open_arrow(source, split)
        files = parquet_files(source, split)
        return [ParquetTable(path) for path in files], file_stamp(source if source.is_dir() else source.parent, files)

    def __len__(self) -> int:
        return sum(self._rows)

    def items(self, start: int) -> Iterator[Item]:
        columns = list(self._columns.names.values())
        for file, rows in zip(self._files, self._rows, strict=True):
            if start >= rows:
                start -= rows
                continue
            for batch in file.rows_from(start, columns, _ROWS):
                yield from (self._columns.item(row.__getitem__) for row in batch.to_pylist())
            start = 0


class ArrowFolder(Parquet):
    """A folder as Hugging Face's `save_to_disk` leaves it, read through `datasets`; else as parquet files."""

    def _open(self, source: Path, split: str) -> tuple[Sequence[TableFile], Mapping[str, Any]]:
        return _open_arrow(source, split)


class Interleaved(Parquet):
    """Web documents in OBELICS' layout: columns images and texts, lists of one length with nulls where the other is."""

    def __init__(self, source: Path, options: SourceOptions):
        super().__init__(source, options, documents=True)


def _open_arrow(source: Path, split: str) -> tuple[Sequence[TableFile], Mapping[str, Any]]:
    table, splits = arrow_folders.open_folder(source, split)
    check_split(str(source), split, splits)
    return [table], file_stamp(source, table.files)
