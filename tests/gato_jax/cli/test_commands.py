"""The command line's own doings; commands are tested where their work is."""

import os
import signal
import subprocess
import sys

import pytest

from gato_jax import cli
from gato_jax.cli import commands

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

    monkeypatch.setattr("gato_jax.cli.data.tasks", write_to_the_dead)
    with pytest.raises(SystemExit) as ended:
        cli.main(["tasks"])
    assert ended.value.code == 1
    assert "Broken pipe" in capfd.readouterr().err


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_is_a_function_that_says_what_it_does(name, capsys):
    command = commands._function(commands.COMMANDS[name])
    cli.main(["--help"])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(f"  gato {name} "))
    assert line.endswith(f" {command.__doc__.splitlines()[0]}")


def test_a_command_that_is_not_there(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["recrod"])
    assert ended.value.code == 2
    assert "no command 'recrod', did you mean record" in capsys.readouterr().err


def test_the_list_of_commands_imports_none_of_them():
    code = "import sys; from gato_jax.cli import main; main(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "gato_jax.cli.common" in loaded
    assert not {"numpy", "scipy", "jax", "tensorflow", "gato_jax.cli.studies"} & set(loaded)
