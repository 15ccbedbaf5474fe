"""The experiment that kills a run again and again, with few kills."""

import os
import subprocess

import pytest

from experiments.chaos import commands
from experiments.chaos.__main__ import commands_markdown, markdown
from experiments.chaos.training import chaos


@pytest.mark.slow
def test_a_run_that_is_killed_comes_out_equal(recorded_data, tmp_path):
    """And the experiment itself goes on where it was."""
    chaos(recorded_data, tmp_path, kills=1, steps=150, seed=1)
    table = chaos(recorded_data, tmp_path, kills=1, steps=150, seed=1)
    assert table["equal_records"] == 150
    assert sum(row["times"] for row in table["survived"]) == 1
    assert markdown(table).count("\n") == 3


def test_processes_are_found_and_ended_whoever_their_parent_is(tmp_path):
    out = tmp_path / "out"
    assert commands.running(out) == []
    environment = {**os.environ, commands.MARK: str(out)}
    # The shell ends at once; what it began goes on under another parent.
    subprocess.run("sleep 60 &", shell=True, env=environment, stdout=subprocess.DEVNULL, check=True)
    assert len(commands.running(out)) == 1
    assert not commands.ended_within(out, 0.1)
    assert commands.ended_within(out, 5.0)


def test_what_is_half_written_is_found(tmp_path):
    out = tmp_path / "out"
    (out / "task").mkdir(parents=True)
    (out / ".lock").touch()
    (tmp_path / "out.log").touch()
    assert commands.leftovers(out) == []
    left = [out / "task" / ".a.partial", tmp_path / ".out.x1y2"]
    for path in left:
        path.touch()
    assert sorted(commands.leftovers(out)) == sorted(map(str, left))


@pytest.mark.slow
def test_a_command_that_is_killed_comes_out_equal(recorded_data, tmp_path):
    (part,) = [part for part in commands.parts(recorded_data, tmp_path, tmp_path) if part.name == "record"]
    row = commands.survive(part, tmp_path, kills=1, seed=2)
    assert row["kills"] == 1
    assert commands_markdown([row]).count("\n") == 3
