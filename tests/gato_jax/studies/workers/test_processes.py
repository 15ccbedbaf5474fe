"""How the workers of a sweep are started."""

import os

from gato_jax.studies.workers import processes


def test_workers_are_told_whose_end_is_theirs(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    assert [process.wait() for process in processes.start_workers(tmp_path, 2)] == [0, 0]
    said = [log.read_text() for log in tmp_path.glob("worker-*.log")]
    assert len(said) == 2
    assert all(f"{tmp_path} --parent {os.getpid()} --cores" in text for text in said)
