"""Rows from any row on, across row groups and batches; files that do not hold what they declare."""

import contextlib
import struct

import pyarrow
import pyarrow.parquet
import pytest

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.parquet_rows import opened, rows_from, whole_columns


@pytest.mark.parametrize("start", range(12))
def test_rows_from_every_start(tmp_path, start):
    path = tmp_path / "a.parquet"
    table = pyarrow.table({"number": range(11), "other": range(11)})
    pyarrow.parquet.write_table(table, path, row_group_size=4)
    batches = list(rows_from(path, start, ["number"], 3))
    assert all(batch.num_rows for batch in batches)
    assert [row for batch in batches for row in batch.to_pylist()] == [{"number": n} for n in range(start, 11)]
    assert whole_columns(path, ["other"]).equals(table.select(["other"]))


def write_lying(path, *places):
    """Two rows in a file that declares five: in its footer as a whole, in its row group, or in both."""
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"]}), path)
    raw, ends = bytearray(path.read_bytes()), {}
    begin = len(raw) - 8 - struct.unpack("<I", raw[-8:-4])[0]
    for at in [at for at in range(begin, len(raw) - 8) if raw[at] == 4]:  # 2 as Thrift writes it; 5 is 10.
        raw[at] = 10
        path.write_bytes(raw)
        with contextlib.suppress(OSError, pyarrow.ArrowException):
            metadata = pyarrow.parquet.read_metadata(path)
            ends[metadata.num_rows, metadata.row_group(0).num_rows] = at
        raw[at] = 4
    for place in places:
        raw[ends[place]] = 10
    path.write_bytes(raw)


FOOTER, GROUP = (5, 2), (2, 5)


@pytest.mark.parametrize(
    ("places", "says"),
    [
        ([FOOTER], "its footer declares 5 rows, and row groups of 2 rows"),
        ([GROUP], "its footer declares 2 rows, and row groups of 5 rows"),
        ([FOOTER, GROUP], "row group 0 declares 5 rows, 2 can be read"),
    ],
)
def test_more_rows_declared_than_there_are(tmp_path, places, says):
    write_lying(tmp_path / "a.parquet", *places)
    with pytest.raises(SourceError, match=rf"a\.parquet: {says}: the file is damaged"):
        whole_columns(tmp_path / "a.parquet", ["text"])


def test_a_page_whose_checksum_is_wrong(tmp_path):
    path = tmp_path / "a.parquet"
    text = "to be found in the page"
    pyarrow.parquet.write_table(
        pyarrow.table({"text": [text]}), path, write_page_checksum=True, compression="none", use_dictionary=False,
        write_statistics=False,
    )  # fmt: skip
    path.write_bytes(path.read_bytes().replace(text.encode(), text.upper().encode()))
    with pytest.raises(SourceError, match=r"a\.parquet: no parquet file, or a broken one \(.*CRC"):
        whole_columns(path, ["text"])


def test_what_is_no_parquet_file(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but nothing else")
    with pytest.raises(SourceError, match=r"a\.parquet: no parquet file, or a broken one"):
        opened(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet: no such file"):
        opened(tmp_path / "b.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "c.parquet")
    with pytest.raises(SourceError, match=r"c\.parquet: no columns \['b'\], found \['a'\]"):
        list(rows_from(tmp_path / "c.parquet", 0, ["b"], 1))
