"""Rows of a parquet file from a given one on, without reading what is before it."""

from collections.abc import Iterator, Sequence

import pyarrow
import pyarrow.parquet


def rows_from(
    file: pyarrow.parquet.ParquetFile, start: int, columns: Sequence[str], at_a_time: int
) -> Iterator[pyarrow.RecordBatch]:
    """Rows from number `start` on, in batches of at most `at_a_time`; row groups before it are not read."""
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if start >= size:
            start -= size
            continue
        for batch in file.iter_batches(at_a_time, row_groups=[group], columns=list(columns)):
            yield batch.slice(min(start, batch.num_rows))
            start = max(0, start - batch.num_rows)
