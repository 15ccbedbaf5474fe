"""One face for files of rows with columns, whatever library reads them: parquet here, Arrow in `arrow_folders`."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow

from data_pipelines.importing.common import parquet_rows


class TableFile(Protocol):
    """Rows with columns."""

    @property
    def name(self) -> str:
        """Of the file, for messages."""

    @property
    def schema(self) -> pyarrow.Schema:
        """Columns and their types."""

    def __len__(self) -> int:
        """Number of rows."""

    def rows_from(self, start: int, columns: Sequence[str], at_a_time: int) -> Iterator[pyarrow.RecordBatch]:
        """Rows from number `start` on, in batches of at most `at_a_time`. Raises `SourceError` where one is damaged."""

    def whole_columns(self, columns: Sequence[str]) -> pyarrow.Table:
        """All rows of some columns."""


@dataclasses.dataclass(frozen=True)
class ParquetTable:
    """A parquet file (see `parquet_rows`, which says what is refused)."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def schema(self) -> pyarrow.Schema:
        with parquet_rows.opened(self.path) as file:
            return file.schema_arrow

    def __len__(self) -> int:
        return parquet_rows.row_count(self.path)

    def rows_from(self, start: int, columns: Sequence[str], at_a_time: int) -> Iterator[pyarrow.RecordBatch]:
        return parquet_rows.rows_from(self.path, start, columns, at_a_time)

    def whole_columns(self, columns: Sequence[str]) -> pyarrow.Table:
        return parquet_rows.whole_columns(self.path, columns)
