"""A task goes on after its last whole chunk, appears in one rename, and is imported once."""

import errno
import json
import os

import pytest

from data_pipelines.importing.common.errors import ImportingError
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.common.task_import import UnfinishedTask, import_once
from data_pipelines.storage.data_directory import RecordingError


def write_chunk(task, number, train=1):
    """A chunk with a file."""
    task.chunk(number).mkdir(parents=True)
    (task.chunk(number) / "file").write_text("")
    return task.keep(number, {"counts": {"train": train, "validation": 0}})


@pytest.fixture
def task(tmp_path):
    return UnfinishedTask(tmp_path, "toy.task", {"seed": 1})


def test_whole_chunks_of_an_equal_import_are_kept(task, tmp_path):
    kept = [write_chunk(task, 0), write_chunk(task, 1)]
    task.chunk(2).mkdir()  # Interrupted: no `keep`.
    write_chunk(task, 3)
    assert UnfinishedTask(tmp_path, "toy.task", {"seed": 1}).finished() == kept
    assert sorted(path.name for path in task.root.iterdir()) == ["chunk-00000", "chunk-00001"]
    assert UnfinishedTask(tmp_path, "toy.task", {"seed": 2}).finished() == []
    assert not list(task.root.iterdir())


def test_a_finished_task_is_in_its_place(task, tmp_path):
    chunks = [write_chunk(task, 0), write_chunk(task, 1, train=0)]
    task.finish(chunks, {"kept": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.task"]
    assert sorted(path.name for path in task.place.iterdir()) == ["chunk-00000", "recording.json"]
    record = json.loads((task.place / "recording.json").read_text())
    assert record == {"kept": 1, "settings": {"seed": 1}, "origin": "imported", "expert": ""}


def test_a_task_is_imported_once(task, tmp_path):
    runs = []

    def run(progress):
        runs.append(progress)
        task.finish([write_chunk(task, 0)], {})

    assert not import_once(task, run, print)
    assert import_once(task, run, print)
    assert runs == [print]
    with pytest.raises(RecordingError, match=r"recorded with other settings \(seed: 1 there, 2 asked for\)"):
        import_once(UnfinishedTask(tmp_path, "toy.task", {"seed": 2}), run, print)


def test_a_full_disk_is_told(task):
    def run(progress):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ImportingError, match=r"disk full while importing into .*: free some space and run again"):
        import_once(task, run, print)


def source(path, content):
    """A task that is imported from one file, and the file."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return UnfinishedTask(path.parent.parent / "data", "toy.task", {"source": file_stamp(path.parent, [path])})


def finish(task):
    return lambda progress: task.finish([write_chunk(task, 0)], {})


def test_other_contents_of_the_same_size_are_refused(tmp_path):
    path = tmp_path / "source" / "a.npz"
    first = source(path, b"one")
    assert not import_once(first, finish(first), print)
    assert import_once(source(path, b"one"), pytest.fail, print)
    with pytest.raises(RecordingError, match=r"'toy.task' was imported from other contents of a.npz \(1 of 1 files\)"):
        import_once(source(path, b"two"), pytest.fail, print)


def test_chunks_of_other_contents_are_made_again(tmp_path):
    path = tmp_path / "source" / "a.npz"
    task = source(path, b"one")
    task.begin()
    write_chunk(task, 0)
    same = source(path, b"one")
    same.begin()
    assert len(same.finished()) == 1
    other = source(path, b"two")
    other.begin()
    assert other.finished() == []


@pytest.mark.parametrize("older", [True, False])
def test_an_import_without_digests_is_compared_by_size_and_renewed_where_nothing_changed(tmp_path, caplog, older):
    path = tmp_path / "source" / "a.npz"
    task = source(path, b"one")
    import_once(task, finish(task), print)
    before = task.record.read_text()
    task.record.unlink()
    recording = task.place / "recording.json"
    ended = path.stat().st_ctime_ns + (1 if older else -1)
    os.utime(recording, ns=(ended, ended))
    again = UnfinishedTask(task.data, task.name, task.description)
    assert import_once(again, pytest.fail, print)
    assert task.record.exists() == older
    assert ("compared names and sizes of files" in caplog.text) != older
    assert not older or task.record.read_text() == before
