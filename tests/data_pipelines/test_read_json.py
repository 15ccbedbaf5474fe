"""Damaged JSON files are named, with what was expected and found."""

import json
import re

import pytest

from data_pipelines.read_json import DamagedFile, read_json

CONTENT = {"step": 3, "finished": True, "loss": 1.5, "name": "größer"}


def read(path, **more):
    return read_json(path, "the summary of a run", **more)


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "größe 1.json"
    path.write_text(json.dumps(CONTENT, ensure_ascii=False), encoding="utf-8")
    kinds = {"step": int, "finished": bool, "loss": (int, float), "name": str}
    assert read(path, keys=kinds) == CONTENT
    assert read(path, keys=["step"]) == CONTENT


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        (b'{"step": 3, "fin', "16 bytes that are cut short"),
        (b'{"step": 3', "10 bytes that are cut short"),
        (b'{"step": 3,, ', "no JSON at line 1, column 12"),
        (b'{"step": "\xff"}', "cannot be read"),
        (b'{"step": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b"[" * 100_000, "cannot be read|cut short"),
        (b"[1]", "a list"),
        (b"null", "a null"),
        (b"{}", re.escape("with the key 'step', found only []")),
        (b'{"step": "3"}', "'step' as whole number, found the text \"3\""),
        (b'{"step": true}', "'step' as whole number, found the true or false true"),
    ],
)
def test_damage_is_named(tmp_path, data, found):
    path = tmp_path / "summary.json"
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match=rf"summary\.json: expected the summary of a run.*{found}.*; remove it$"):
        read(path, keys={"step": int}, remedy="remove it")


def test_an_absent_file_and_a_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected the summary of a run, found no such file"):
        read(tmp_path / "summary.json")
    with pytest.raises(DamagedFile, match="found something that is no file"):
        read(tmp_path)
    (tmp_path / "list.json").write_text("[1]")
    assert read(tmp_path / "list.json", kind=list) == [1]
