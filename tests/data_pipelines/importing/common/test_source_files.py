"""Stamps tell a changed source, Git LFS pointers are no data, and a split is found by the names of files or refused."""

import hashlib
import json
import os

import pytest

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.source_files import file_stamp, is_pointer, parquet_files

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def test_a_stamp_holds_sizes_and_hashes_contents(tmp_path):
    path = tmp_path / "sub" / "a.bin"
    path.parent.mkdir()
    path.write_bytes(b"one")
    stamp = file_stamp(tmp_path, [path])
    assert json.loads(json.dumps(stamp)) == {"sub/a.bin": 3}
    assert stamp.contents() == {"sub/a.bin": hashlib.sha256(b"one").hexdigest()}
    times = path.stat().st_mtime_ns
    path.write_bytes(b"two")
    os.utime(path, ns=(times, times))
    again = file_stamp(tmp_path, [path])
    assert again == stamp
    assert again.contents() == {"sub/a.bin": hashlib.sha256(b"two").hexdigest()}


def test_pointers_are_refused(tmp_path):
    path = tmp_path / "episodes.npz"
    path.write_bytes(POINTER)
    assert is_pointer(path)
    assert is_pointer(POINTER)
    with pytest.raises(SourceError, match=r"episodes.npz: Git LFS pointer: run `git lfs pull`"):
        file_stamp(tmp_path, [path])
    path.write_bytes(POINTER + bytes(2000))  # Larger than a pointer may be: data that only begins so.
    assert not is_pointer(path)
    assert not is_pointer(tmp_path)
    assert not is_pointer(tmp_path / "absent")


def test_splits_by_names_of_files(tmp_path):
    for name in ("train-0.parquet", "validation-0.parquet", "latest.parquet"):
        (tmp_path / name).touch()
    assert parquet_files(tmp_path, "train") == [tmp_path / "train-0.parquet"]
    assert parquet_files(tmp_path, "val") == [tmp_path / "validation-0.parquet"]
    for split in ("test", "nonsense", "t"):  # "latest" is no test split.
        with pytest.raises(SourceError, match=f"no file with split '{split}' in its name"):
            parquet_files(tmp_path, split)
    assert parquet_files(tmp_path / "latest.parquet", "train") == [tmp_path / "latest.parquet"]
    with pytest.raises(SourceError, match=r"no file with split 'nonsense' in its name, found \['latest.parquet'\]"):
        parquet_files(tmp_path / "latest.parquet", "nonsense")
