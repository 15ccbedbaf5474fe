"""Scores of the random policy: played once, kept, and used by experts' scores; worlds that break cost their own."""

import subprocess
import sys

import pytest

from benchmarks import random_policies
from benchmarks.random_child import score
from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json
from data_pipelines.reports.measured import RANDOM_FILE

TASK = "classic_control.cart_pole"


def measured(results, **options):
    pytest.importorskip("gymnasium")
    how = {"minutes": 1.0, "episodes": 4, "seconds": 60.0, "again": False} | options
    return random_policies.measure([TASK], results, **how)


def test_a_task_is_played_once_and_its_returns_are_there_for_experts(tmp_path):
    assert measured(tmp_path, minutes=0.0) == 1
    assert random_policies.returns_of(TASK, tmp_path) == []
    assert measured(tmp_path) == 0
    returns = random_policies.returns_of(TASK, tmp_path)
    assert len(returns) == 4
    assert all(8 <= value <= 200 for value in returns)  # a pole that nobody balances falls within a few steps
    entry = read_json(tmp_path / RANDOM_FILE, "scores")["tasks"][TASK]
    assert entry["steps"] == pytest.approx(sum(returns) / 4, abs=0.1)  # one for each step
    assert entry["versions"].keys() == {"gymnasium"}
    changed = entry | {"returns": [1.0]}
    write_json(tmp_path / RANDOM_FILE, {"tasks": {TASK: changed}})
    assert measured(tmp_path) == 0  # known: not played again
    assert random_policies.returns_of(TASK, tmp_path) == [1.0]
    write_json(tmp_path / RANDOM_FILE, {"tasks": {TASK: changed | {"versions": {"gymnasium": "0.1"}}}})
    assert random_policies.returns_of(TASK, tmp_path) == []  # of another simulator


def test_few_episodes_are_enough_where_they_are_long():
    pytest.importorskip("gymnasium")
    assert len(score(TASK, episodes=10, seconds=0.0)["returns"]) == 3


def test_why_a_process_ended(tmp_path, monkeypatch):
    lines = tmp_path / "lines"
    lines.touch()

    def waited(code, seconds=60.0):
        process = subprocess.Popen([sys.executable, "-c", code])
        return random_policies._wait(process, lines, random_policies.time.monotonic() + seconds)

    assert waited("") == ""
    assert waited("import os; os.abort()") == "its process ended with signal SIGABRT"
    assert waited("import time; time.sleep(60)", seconds=0.2) == ""  # time is over: nothing broke
    monkeypatch.setattr(random_policies, "SILENCE", 0.2)
    assert waited("import time; time.sleep(60)") == "no task within 0.2 s"
