"""A task goes on after its last whole chunk, appears in one rename, and is imported once."""

import errno
import json

import pytest

from data_pipelines.importing.common.errors import ImportingError
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
