"""Processes in which worlds are played, without TensorFlow: one that hangs, dies or grows takes nobody with it.

Requests are JSON lines; an answer is a JSON line, and behind it as many bytes as it says.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from data_pipelines import parent_process
from data_pipelines.suites.outside.process import ONE_THREAD, ended, process_environment, resident_mebibytes

_LOOK = 1.0  # seconds between two looks at how much memory a process holds
_BYTES = "bytes"


class ProcessLost(Exception):
    """A process gives no answer any more; the message says why."""


class ProcessHung(ProcessLost):
    """It did not answer in time, and was ended."""


class ProcessGrew(ProcessLost):
    """It held more memory than it may while it answered, and was ended."""


class ProcessDied(ProcessLost):
    """It ended: how, and what it printed last."""


class WorldProcess:
    """A process of one of our modules, which `serve` requests there. It ends with the process that started it.

    Args:
      module: run as `python -m MODULE PARENT`.
    """

    def __init__(self, module: str):
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in `close`)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module, str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True,
            env=process_environment() | ONE_THREAD,
        )  # fmt: skip
        self._answers: queue.Queue[tuple[dict[str, Any], bytes] | None] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    @property
    def memory(self) -> float:
        """That it holds, in MiB; 0 where the system does not tell."""
        return resident_mebibytes(self._process.pid)

    def ask(self, request: Mapping[str, Any], seconds: float, *, memory: float = 0.0) -> tuple[dict[str, Any], bytes]:
        """The answer to a request, and the bytes behind it.

        Args:
          request: JSON.
          seconds: after which the process is ended, whatever it is doing; its start counts for the first request.
          memory: MiB above which it is ended; 0 = any.

        Raises:
          ProcessHung, ProcessGrew, ProcessDied: there is no answer, and never will be.
        """
        stdin = self._process.stdin
        assert stdin is not None, "started with pipes"
        deadline = time.monotonic() + seconds
        with contextlib.suppress(BrokenPipeError):  # It ended: so its answers do.
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        while True:
            left = deadline - time.monotonic()
            try:
                answer = self._answers.get(timeout=max(0.0, min(left, _LOOK)))
            except queue.Empty:
                if left <= _LOOK:
                    self._kill()
                    raise ProcessHung(f"did not answer within {seconds:g} s") from None
                if memory and self.memory > memory:
                    held = self.memory
                    self._kill()
                    raise ProcessGrew(f"took {held:.0f} MiB of memory, more than {memory:.0f}") from None
                continue
            if answer is None:
                raise ProcessDied(self._last_words())
            return answer

    def close(self) -> None:
        """Ends it, whatever it is doing."""
        self._kill()
        self._listener.join()
        self._process.communicate()  # Closes the pipes, whatever it did not read of them.
        self._errors.close()

    def _kill(self) -> None:
        """Ends it, and what it started: some engines are processes of their own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None, "started with pipes"
        for line in stdout:
            if not line.endswith(b"\n"):  # It ended while it wrote.
                break
            answer = json.loads(line)
            data = stdout.read(answer.get(_BYTES, 0))
            if len(data) < answer.get(_BYTES, 0):
                break
            self._answers.put((answer, data))
        self._answers.put(None)

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()] or ["it printed nothing"]
        return f"its process {ended(code)}: {lines[-1]}"


class Requests:
    """The other end of a `WorldProcess`: iterate over requests, and answer each."""

    def __init__(self, parent: int):
        parent_process.end_with(parent)
        parent_process.killed_with_parent(parent)
        self._answers = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # Simulators print.

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(json.loads, sys.stdin)

    def answer(self, message: Mapping[str, Any], data: bytes = b"") -> None:
        """Answers the latest request.

        Args:
          message: JSON.
          data: behind it.
        """
        message = {**message, _BYTES: len(data)} if data else message
        self._answers.write(json.dumps(message).encode() + b"\n" + data)
        self._answers.flush()
