"""Rows of parquet files. What is read is compared with what the file declares: its rows, and its pages' checksums."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet

from data_pipelines.importing.common.errors import SourceError


def opened(path: Path) -> pyarrow.parquet.ParquetFile:
    """A parquet file; checksums of its pages are verified where it has some.

    Raises:
      SourceError: no parquet file, or one whose footer contradicts itself.
    """
    with _told_as_source_error(path):
        file = pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
    groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    if sum(groups) != file.metadata.num_rows:
        file.close()
        raise SourceError(
            f"{path}: its footer declares {file.metadata.num_rows} rows, and row groups of {sum(groups)} rows: the "
            f"file is damaged"
        )
    return file


def row_count(path: Path) -> int:
    """Rows of a file. Raises `SourceError` as `opened` does."""
    with opened(path) as file:
        return file.metadata.num_rows


def rows_from(path: Path, start: int, columns: Sequence[str], at_a_time: int) -> Iterator[pyarrow.RecordBatch]:
    """Rows from number `start` on, in batches of at most `at_a_time`; row groups before it are not read.

    Args:
      path: a parquet file.
      start: of all rows of the file.
      columns: at least one, all of them there.
      at_a_time: rows of a batch.

    Raises:
      SourceError: a column is not there; a row group that holds another number of rows than it declares; a page whose
        checksum is wrong, or that cannot be read.
    """
    with opened(path) as file:
        if missing := sorted(set(columns) - set(file.schema_arrow.names)):
            raise SourceError(f"{path}: no columns {missing}, found {file.schema_arrow.names}")
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if start >= size:
                start -= size
                continue
            read = 0
            batches = file.iter_batches(at_a_time, row_groups=[group], columns=list(columns))
            while True:
                with _told_as_source_error(path):
                    batch = next(batches, None)
                if batch is None:
                    break
                read += batch.num_rows
                if batch.num_rows > start:
                    yield batch.slice(start)
                start = max(0, start - batch.num_rows)
            if read != size:
                raise SourceError(
                    f"{path}: row group {group} declares {size} rows, {read} can be read: the file is damaged"
                )


def whole_columns(path: Path, columns: Sequence[str]) -> pyarrow.Table:
    """All rows of some columns. Raises `SourceError` as `rows_from` does."""
    batches = list(rows_from(path, 0, columns, 1 << 16))
    if batches:
        return pyarrow.Table.from_batches(batches)
    with opened(path) as file:
        return file.schema_arrow.empty_table().select(list(columns))


@contextlib.contextmanager
def _told_as_source_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        if isinstance(error, FileNotFoundError):
            raise SourceError(f"{path}: no such file") from error
        raise SourceError(f"{path}: no parquet file, or a broken one ({error})") from error
