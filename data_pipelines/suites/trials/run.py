"""Worlds tried in processes of their own: one that hangs or crashes costs its own trial, and no other."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data_pipelines.suites.outside.process import ended, process_environment
from data_pipelines.suites.trials.trial import STEPS, Trial

SECONDS = 180.0
"""Most that one world may take, the import of its simulator included."""


def run_trials(
    names: Iterable[str],
    *,
    seconds: float = SECONDS,
    steps: int = STEPS,
    size: int = 64,
    pictures: Path | None = None,
    together: bool = False,
) -> Iterator[tuple[str, Trial]]:
    """Tries tasks of the catalog, suite after suite, each suite in a process without TensorFlow.

    Args:
      names: of the tasks; those of a suite should follow each other.
      seconds: after which a world's process is killed, whatever it is doing.
      steps: random ones of each.
      size: height and width of its pictures.
      pictures: folder for one picture of each, `<task>.png`; None keeps none.
      together: whether all suites share one process, which is faster for few tasks.

    Yields:
      Each name with what came of it, as it comes.
    """
    child: _Child | None = None
    domain = ""
    try:
        for name in names:
            if child is not None and (not child.alive or (not together and name.partition(".")[0] != domain)):
                child.close()
                child = None
            child, domain = child or _Child(), name.partition(".")[0]
            picture = None if pictures is None else str(pictures / f"{name}.png")
            yield name, child.ask({"name": name, "steps": steps, "size": size, "picture": picture}, seconds)
    finally:
        if child is not None:
            child.close()


class _Child:
    """A process of `trials.child`."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in `close`)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "data_pipelines.suites.trials.child", str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, start_new_session=True,
            env=process_environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        self._answers: queue.Queue[str] = queue.Queue()
        self.alive = True
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ask(self, request: dict[str, Any], seconds: float) -> Trial:
        """The answer, or why there is none; then it is no longer alive."""
        stdin = self._process.stdin
        assert stdin is not None, "started with pipes"
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.alive = False
            return Trial(False, f"took more than {seconds:g} s", seconds)
        except BrokenPipeError:
            line = ""
        if line.endswith("\n"):  # It may end while it writes.
            return Trial(**json.loads(line))
        self.alive = False
        code = self._process.wait()
        self._errors.seek(0)
        said = [line for line in self._errors.read().splitlines() if line.strip()] or ["it printed nothing"]
        return Trial(False, f"its process {ended(code)}: {said[-1]}")

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self.alive = False
        self._process.kill()
        self._listener.join()
        self._process.communicate()  # Closes the pipes, whatever it did not read of them.
        self._errors.close()

    def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None, "started with pipes"
        for line in stdout:
            self._answers.put(line)
        self._answers.put("")
