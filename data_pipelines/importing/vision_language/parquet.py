"""Parquet files: Hugging Face's layouts of text, captions and questions, and OBELICS' of interleaved web documents.

Pictures are bytes, {"bytes", "path"} or names of files that lie beside. URLs are counted, never followed.
No TensorFlow.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.parquet_rows import opened, rows_from
from data_pipelines.importing.common.source_files import file_stamp, parquet_files
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
      SourceError: no such files or columns; pictures that are URLs only.
    """

    def __init__(self, source: Path, options: SourceOptions, *, documents: bool = False):
        self._files = parquet_files(source, options.split)
        self.stamp: Mapping[str, Any] = file_stamp(source if source.is_dir() else source.parent, self._files)
        self._rows: list[int] = []
        for path in self._files:
            with opened(path) as file:
                self._rows.append(file.metadata.num_rows)
                names = file.schema_arrow.names
            if path == self._files[0]:
                self._columns = Columns.find(names, options, source, documents=documents)
            elif missing := set(self._columns.names.values()) - set(names):
                raise SourceError(f"{path}: no columns {sorted(missing)}, which {self._files[0].name} has")
        self.kind = self._columns.kind

    def __len__(self) -> int:
        return sum(self._rows)

    def items(self, start: int) -> Iterator[Item]:
        wanted = list(self._columns.names.values())
        for path, rows in zip(self._files, self._rows, strict=True):
            if start >= rows:
                start -= rows
                continue
            for batch in rows_from(path, start, wanted, _ROWS):
                yield from (self._columns.item(row.__getitem__) for row in batch.to_pylist())
            start = 0


class Interleaved(Parquet):
    """Web documents in OBELICS' layout: columns images and texts, lists of one length with nulls where the other is."""

    def __init__(self, source: Path, options: SourceOptions):
        super().__init__(source, options, documents=True)
