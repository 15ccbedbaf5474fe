"""The command line's own doings; commands are tested where their work is."""

import os
import signal
import subprocess
import sys
import typing

import pytest

from data_pipelines import ranges
from gato_jax import cli
from gato_jax.cli import commands, plan, studies

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


@pytest.mark.parametrize("old", commands.OLD_COMMANDS)
def test_a_renamed_command_works_and_says_so(old, capsys):
    now = commands.OLD_COMMANDS[old]
    with pytest.raises(SystemExit) as ended:
        cli.main([old, "--help"])
    assert ended.value.code == 0
    out, error = capsys.readouterr()
    assert error == f"gato: {old} is now called {now}\n"
    assert f"gato {now}" in out
    assert old not in commands.COMMANDS


def test_a_command_that_is_not_there(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["recrod"])
    assert ended.value.code == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "gato: no command 'recrod', did you mean record or report?"
    assert len(rest) == 1  # nothing that it could scroll away under


def test_the_list_of_commands_imports_none_of_them():
    code = "import sys; from gato_jax.cli import main; main(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "gato_jax.cli.common" in loaded
    assert not {"numpy", "scipy", "jax", "tensorflow", "gato_jax.cli.studies"} & set(loaded)


def test_every_number_of_every_command_has_a_range():
    """Else 0 workers, or NaN minutes, are found out late or never."""
    owners = [commands._function(place) for name, place in commands.COMMANDS.items() if name not in commands.OWN]
    owners += [*studies.ACTIONS.values(), studies._run, plan.PlanOptions]
    signed = {"filter", "filter_floor", "bar"}  # Returns, which may be any finite number.
    for owner in owners:
        hints = typing.get_type_hints(owner, include_extras=True)
        numbers = {name: hint for name, hint in hints.items() if ranges.is_number(hint)}
        without = {name for name, hint in numbers.items() if "Range(" not in str(hint)}
        assert without <= signed, owner


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cache quickstart --to x --workers 0", "gato cache: --workers must be positive, found 0"),
        ("record --workers -1", "gato record: --workers must be positive, found -1"),
        ("quickstart --minutes nan", "gato quickstart: --minutes must be a finite number, found nan"),
        ("play RUN TASK --episodes 0", "gato play: --episodes must be positive, found 0"),
        ("evaluate-loss RUN --rows 0", "gato evaluate-loss: --rows must be positive, found 0"),
        ("check-data DIR --text-tokens -1", "gato check-data: --text-tokens must not be negative, found -1"),
        ("sweep fit DIR --samples 0", "gato sweep: --samples must be positive, found 0"),
        ("plan quickstart --topology cpu:1 --limit 0", "gato plan: --limit must be positive, found 0"),
    ],
)
def test_a_number_outside_its_range(line, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main(line.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(message)
    assert not list(tmp_path.iterdir())


def test_help_names_what_stands_at_a_place(capsys):
    with pytest.raises(SystemExit):
        cli.main(["play", "--help"])
    assert capsys.readouterr().out.startswith("usage: gato play [-h] [OPTIONS] RUN TASK")


def test_a_package_that_is_absent_is_one_line():
    code = "import sys; sys.modules['yaml'] = None; from gato_jax import cli; cli.main(['mixture', 'list'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    error = done.stderr
    assert error.startswith("gato mixture: ")
    assert "'yaml'" in error
    assert "\n" not in error.strip()
