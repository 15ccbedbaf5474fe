"""A process that hangs, dies or grows is ended and told of, with what it started; one that answers is left alone."""

import os
import pathlib
import sys
import time

import pytest

from data_pipelines.suites.outside import world_process
from data_pipelines.suites.outside.world_process import ProcessDied, ProcessGrew, ProcessHung, WorldProcess

MODULE = """
import os, subprocess, sys, time

from data_pipelines.suites.outside.world_process import Requests

requests = Requests(int(sys.argv[1]))
for request in requests:
    print("a simulator prints")
    match request["do"]:
        case "half an answer":
            os.write(requests._answers.fileno(), b'{"x": ')
            time.sleep(600)
        case "half of the bytes":
            os.write(requests._answers.fileno(), b'{"bytes": 9}\\nshort')
            os._exit(3)
        case "grow":
            hoard = bytearray(300 * 2**20)
            time.sleep(600)
        case "start an engine":
            requests.answer({"pid": subprocess.Popen(["sleep", "600"]).pid})
        case word:
            requests.answer({"word": word, "tensorflow": "tensorflow" in sys.modules}, word.encode())
"""


@pytest.fixture
def process(tmp_path, monkeypatch):
    (tmp_path / "a_module_that_serves.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    process = WorldProcess("a_module_that_serves")
    yield process
    process.close()


def test_requests_and_what_a_process_started(process, monkeypatch):
    assert process.ask({"do": "work"}, 60.0) == ({"word": "work", "tensorflow": False, "bytes": 4}, b"work")
    assert process.ask({"do": "more"}, 60.0, memory=4096.0)[1] == b"more"
    engine, _ = process.ask({"do": "start an engine"}, 60.0)
    monkeypatch.setattr(world_process, "_LOOK", 0.1)
    with pytest.raises(ProcessGrew, match=r"^took \d+ MiB of memory, more than 200$"):
        process.ask({"do": "grow"}, 60.0, memory=200.0)
    assert not process.alive
    assert _is_gone(engine["pid"])
    with pytest.raises(ProcessDied, match=r"^its process ended with signal SIGKILL: a simulator prints$"):
        process.ask({"do": "work"}, 60.0)


def test_an_answer_that_never_comes_to_its_end(process):
    process.ask({"do": "work"}, 60.0)
    with pytest.raises(ProcessHung, match=r"^did not answer within 0\.2 s$"):
        process.ask({"do": "half an answer"}, 0.2)
    assert not process.alive


def test_bytes_that_are_missing(process):
    with pytest.raises(ProcessDied, match=r"^its process ended with code 3: a simulator prints$"):
        process.ask({"do": "half of the bytes"}, 60.0)


def _is_gone(pid: int) -> bool:
    """Whether a process has ended, which may take a moment; nobody may have waited for it yet."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if sys.platform == "linux" and "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.05)
    return False
