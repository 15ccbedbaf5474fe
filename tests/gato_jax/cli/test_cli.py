"""The command line's own doings; commands are tested where their work is."""

import os
import signal
import subprocess
import sys

import pytest

from gato_jax import cli

GATO = [sys.executable, "-m", "gato_jax.cli"]


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["at the end", "while printing"])
def test_a_closed_pipe_ends_it_quietly(unbuffered):
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([*GATO, "tasks"], stdout=write, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 128 + signal.SIGPIPE


def test_a_worker_that_died_is_not_a_closed_pipe(monkeypatch, capfd):
    """Writing to it must raise, not end the process; what nobody catches is told."""

    def write_to_the_dead() -> None:
        worker = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, bufsize=0)
        worker.wait()
        assert worker.stdin is not None
        worker.stdin.write(b"job")

    monkeypatch.setitem(cli.COMMANDS, "tasks", write_to_the_dead)
    with pytest.raises(SystemExit) as ended:
        cli.main(["tasks"])
    assert ended.value.code == 1
    assert "Broken pipe" in capfd.readouterr().err
