"""Files that are written whole."""

import pytest

from data_pipelines import atomic_files


def test_a_destination_is_looked_at_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(IsADirectoryError, match="expected a file to write, found a directory"):
        atomic_files.check_destination(tmp_path)
    with pytest.raises(NotADirectoryError, match=r"page.html: cannot be written, as .*file is a file"):
        atomic_files.check_destination(tmp_path / "file" / "deep" / "page.html")
    atomic_files.check_destination(tmp_path / "file")
    atomic_files.check_destination(tmp_path / "new" / "page.html")
