"""Rows from any row on, across row groups and batches."""

import pyarrow
import pyarrow.parquet
import pytest

from data_pipelines.importing.common.parquet_rows import rows_from


@pytest.mark.parametrize("start", range(12))
def test_rows_from_every_start(tmp_path, start):
    table = pyarrow.table({"number": range(11), "other": range(11)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", row_group_size=4)
    with pyarrow.parquet.ParquetFile(tmp_path / "a.parquet") as file:
        batches = list(rows_from(file, start, ["number"], 3))
    assert [row for batch in batches for row in batch.to_pylist()] == [{"number": n} for n in range(start, 11)]
