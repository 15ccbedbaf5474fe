"""A lock that survives the deletion of its file, and a run that notices when it has lost its directory."""

import json
import os
import shutil
import time

import pytest

from gato_jax.training.distributed import run_lock
from gato_jax.training.distributed.run_lock import RunLock, RunLocked
from gato_jax.training.train import train


def soon(condition):
    """Waits until it holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


def test_deleting_the_file_does_not_open_the_directory(tmp_path):
    """The second run is refused at once; the first writes the file again, and says so."""
    said, path = [], tmp_path / "run.lock"
    with RunLock(tmp_path, say=said.append, touch_seconds=0.2) as lock:
        path.unlink()
        with pytest.raises(RunLocked, match="is being trained by another process"), RunLock(tmp_path, say=print):
            pass
        assert not path.exists(), "who is refused leaves nothing behind"
        soon(lambda: said)
        assert said == [f"{path} was deleted while this run trains there; it is written again"]
        assert json.loads(path.read_text())["pid"] == os.getpid()
        lock.check()
        with pytest.raises(RunLocked, match=f"by process {os.getpid()} on"), RunLock(tmp_path, say=print):
            pass
    assert path.read_text() == ""


def test_where_directories_cannot_be_locked_the_file_decides(tmp_path, monkeypatch):
    """Another run takes the deleted file's place: the first one ends before it writes again."""

    def files_only(self, directory):
        return None

    monkeypatch.setattr(RunLock, "_lock_directory", files_only)
    said = []
    with RunLock(tmp_path, say=said.append, touch_seconds=0.2) as first:
        with pytest.raises(RunLocked, match="is being trained by"), RunLock(tmp_path, say=print):
            pass
        (tmp_path / "run.lock").unlink()
        with RunLock(tmp_path, say=print) as second:
            soon(lambda: said)
            with pytest.raises(
                RunLocked, match=r"run\.lock was deleted while .* and now .* is being trained by process"
            ):
                first.check()
            second.check()


def test_a_deleted_directory_is_noticed(tmp_path):
    out, said = tmp_path / "run", []
    with RunLock(out, say=said.append, touch_seconds=0.05) as lock:
        shutil.rmtree(out)
        soon(lambda: said)
        with pytest.raises(RunLocked, match=r"cannot be written again: No such file or directory"):
            lock.check()
    assert not out.exists()


def test_a_run_that_has_lost_its_directory_stops(tiny, tmp_path, monkeypatch):
    """The loop asks at every boundary: nothing is saved over what another run writes."""
    monkeypatch.setattr(run_lock, "TOUCH_SECONDS", 0.05)

    class Replaced(tiny.SyntheticStream):
        def __next__(self):
            if self.step == 2:
                path = tmp_path / "run" / "run.lock"
                other = json.dumps({"host": "elsewhere", "pid": 7, "since": "today"})
                (tmp_path / "other").write_text(other)
                os.replace(tmp_path / "other", path)
                time.sleep(0.5)
            return super().__next__()

    with pytest.raises(RunLocked, match="by process 7 on elsewhere, since today"):
        train(tiny.tiny_experiment(steps=6), tmp_path / "run", open_stream=Replaced)
    assert not (tmp_path / "run" / "checkpoints").exists()
