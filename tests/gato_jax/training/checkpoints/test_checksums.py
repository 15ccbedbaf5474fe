"""Digests of files find every change of them, and damage of their own."""

import json

import pytest

from gato_jax.training.checkpoints.checksums import find_damage, write_digests


@pytest.fixture
def checkpoint(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/values").write_bytes(bytes(1000))
    (tmp_path / "meta").write_text("{}")
    write_digests(tmp_path)
    assert find_damage(tmp_path) is None
    return tmp_path


def flip(checkpoint):
    data = bytearray(bytes(1000))
    data[500] ^= 1
    (checkpoint / "d/values").write_bytes(data)


CHANGES = [
    (flip, "d/values: expected 1,000 bytes with SHA-256 541b3e9daa09, found 1,000 bytes with SHA-256"),
    (lambda c: (c / "d/values").write_bytes(bytes(999)), "d/values: expected 1,000 bytes.*found 999 bytes"),
    (lambda c: (c / "meta").unlink(), "meta is missing"),
    (lambda c: (c / "d/more").write_text(""), "d/more is not in digests.json"),
]


@pytest.mark.parametrize(("change", "found"), CHANGES)
def test_changes_are_named(checkpoint, change, found):
    change(checkpoint)
    with pytest.raises(AssertionError, match=found):
        raise AssertionError(find_damage(checkpoint))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[1]", "digests.json: expected sizes and digests by file, a JSON object, found a list"),
        ("{}", "d/values is not in digests.json; meta is not in digests.json"),
        ('{"f": 5}', "f: expected [bytes, SHA-256], found 5"),
        ('{"f": [1, "ab"]}', "f: expected [bytes, SHA-256], found [1, 'ab']"),
        ("", "found an empty file"),
        ('{"meta": [', "cut short"),
    ],
)
def test_damaged_digests_are_damage(checkpoint, content, found):
    (checkpoint / "digests.json").write_text(content)
    assert found in find_damage(checkpoint)


def test_digests_that_leave_a_file_out_are_damage(checkpoint):
    path = checkpoint / "digests.json"
    entries = json.loads(path.read_text())
    del entries["d/values"]
    path.write_text(json.dumps(entries))
    assert find_damage(checkpoint) == "d/values is not in digests.json"


def test_hidden_files_are_not_ours(checkpoint):
    (checkpoint / ".digests.json.x1").write_text("{")
    assert find_damage(checkpoint) is None
