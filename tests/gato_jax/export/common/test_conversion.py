"""Formats made by another process: whole or not at all, going on from what a killed export left."""

import os
import subprocess
import sys

import pytest

from gato_jax.export.common.conversion import WORK, convert
from gato_jax.weights.tensor_names import ExportError, ProcessKilled

SCRIPT = """
import pathlib, sys
model, made = map(pathlib.Path, sys.argv[1:])
(made / "variables").mkdir()
(made / "variables/data").write_text((model / "tensors").read_text())
(made / "graph").write_text("graph")
"""


def command(script):
    return lambda model, made: [sys.executable, "-c", script, str(model), str(made)]


def run(directory, make_model, script=SCRIPT):
    convert(make_model, directory, command(script), result="graph", environment=os.environ, tool="a tool")


def tree(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_fills_the_directory_and_nothing_else(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    run(tmp_path, lambda model: (model / "tensors").write_text("1 2 3"))
    assert tree(tmp_path) == ["config.json", "graph", "variables", "variables/data"]
    assert (tmp_path / "variables/data").read_text() == "1 2 3"


@pytest.mark.parametrize("stopped_in", ["tensors", "process", "moves"])
def test_goes_on_from_what_a_killed_export_left(tmp_path, stopped_in):
    model, made = tmp_path / WORK / "model", tmp_path / WORK / "made"
    model.mkdir(parents=True)
    (model / "tensors").write_text("1")
    if stopped_in != "tensors":
        (made / "variables").mkdir(parents=True)
        (made / "variables/data.tempstate").write_text("half")
    if stopped_in == "moves":
        (tmp_path / "variables").mkdir()
        (tmp_path / "variables/data").write_text("of the call before")
    contents = []

    def go_on(directory):
        contents.append((directory / "tensors").read_text())
        (directory / "tensors").write_text("1 2 3")

    run(tmp_path, go_on)
    assert contents == ["1"]
    assert tree(tmp_path) == ["graph", "variables", "variables/data"]
    assert (tmp_path / "variables/data").read_text() == "1 2 3"


def test_says_what_failed(tmp_path):
    with pytest.raises(ExportError, match=r"a tool does not carry this model: .*no such operator"):
        run(tmp_path, lambda model: None, "import sys; sys.exit('no such operator')")


def test_a_killed_process_loses_nothing(tmp_path):
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(ProcessKilled, match="a tool was killed by SIGKILL"):
        run(tmp_path, lambda model: (model / "tensors").write_text("1 2 3"), script)
    assert (tmp_path / WORK / "model/tensors").read_text() == "1 2 3"
    run(tmp_path, lambda model: None)
    assert (tmp_path / "variables/data").read_text() == "1 2 3"
    # What is done is not done again, where only the check behind it was killed.
    run(tmp_path, lambda model: pytest.fail("tensors were asked for again"))


def test_waits_for_the_process_of_a_killed_export(tmp_path, capsys):
    (tmp_path / WORK).mkdir()
    orphan = """
import fcntl, pathlib, sys, time
work = pathlib.Path(sys.argv[1])
with (work / "lock").open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print(flush=True)
    time.sleep(1)
    (work / "late").touch()
"""
    with subprocess.Popen([sys.executable, "-c", orphan, tmp_path / WORK], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        run(tmp_path, lambda model: (model / "tensors").write_text("1"))
    assert "waiting for a process of a killed export" in capsys.readouterr().err
    assert tree(tmp_path) == ["graph", "variables", "variables/data"]
