"""A process whose parent is killed by SIGKILL ends too."""

import os
import subprocess
import sys
import time

import pytest

CHILD = """
import sys, time
from data_pipelines.parent_process import end_with
end_with(int(sys.argv[1]), every=0.05)
time.sleep(60)
"""
HANGS = """
import collections, itertools, sys
from data_pipelines.parent_process import killed_with_parent
killed_with_parent(int(sys.argv[1]))
collections.deque(itertools.repeat(None), maxlen=0)  # C code: no thread of Python's runs any more
"""
PARENT = """
import os, subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())]).pid, flush=True)
time.sleep(60)
"""


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a process with its parent")


@pytest.mark.parametrize("code", [CHILD, pytest.param(HANGS, marks=linux)], ids=["waits", "hangs"])
def test_it_ends_with_its_parent(code):
    # What a dead parent leaves is a child of init, which nobody here can wait for: its end of the pipe says when.
    read, write = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, code], stdout=subprocess.PIPE, stderr=write, text=True)
    os.close(write)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    os.kill(child, 0)  # it lives
    parent.kill()
    parent.wait()
    begun = time.monotonic()
    assert os.read(read, 1) == b""  # both have ended
    assert time.monotonic() - begun < 20
