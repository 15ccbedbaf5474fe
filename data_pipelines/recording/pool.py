"""Worker processes that record chunks: started, fed, listened to and ended."""

import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.recording.worker import Job
from data_pipelines.suites.outside.process import python_path

_LOG_TAIL = 1500


class WorkerPool:
    """Processes of `recording.worker`. Use with `with`: leaving ends the processes, whatever they are doing.

    Args:
      workers: number of processes.
      logs: directory for what they print on stderr.
      keep_open: file descriptors that the workers inherit.
    """

    def __init__(self, workers: int, *, logs: Path, keep_open: Sequence[int] = ()):
        self._logs = [logs / f"worker-{index:02d}.log" for index in range(workers)]
        self._keep_open = tuple(keep_open)
        self._processes: list[subprocess.Popen] = []
        self._messages: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()

    def __enter__(self) -> "WorkerPool":
        environment = os.environ | {
            "PYTHONPATH": python_path(),
            "MUJOCO_GL": "disabled",  # TensorFlow and an OpenGL renderer cannot share a process
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        for index, log in enumerate(self._logs):
            with open(log, "w") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-m", "data_pipelines.recording.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment,
                    pass_fds=self._keep_open,
                    text=True,
                    bufsize=1,
                    # Ctrl-C reaches the parent only, which then ends the workers.
                    start_new_session=True,
                )
            self._processes.append(process)
            threading.Thread(target=self._listen, args=(index, process), daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            if process.stdin is not None:
                process.stdin.close()

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[str, Any]]]:
        """Deals the jobs in order to workers that are free and yields (job, message) as messages come.

        Messages have a "type": "attempt" (counts so far), "done" or "failed".
        """
        waiting = list(reversed(jobs))
        at_work: dict[int, Job] = {}
        while waiting or at_work:
            index, message = self._messages.get()
            if message is None:
                task = at_work[index].task if index in at_work else "nothing yet"
                job = at_work.get(index, jobs[0])
                log = self._logs[index].read_text()[-_LOG_TAIL:].strip()
                yield job, {"type": "failed", "error": "WorkerDied", "message": f"while recording {task}: {log}"}
                return
            if message["type"] != "ready":
                yield at_work[index], message
            if message["type"] != "attempt":
                at_work.pop(index, None)
                if waiting:
                    at_work[index] = waiting.pop()
                    self._send(index, at_work[index])

    def _send(self, index: int, job: Job) -> None:
        stdin = self._processes[index].stdin
        assert stdin is not None, "workers are started with a pipe"
        try:
            stdin.write(json.dumps(dataclasses.asdict(job)) + "\n")
        except BrokenPipeError:
            return  # the worker died: its end of file is in the queue, with the log to tell why

    def _listen(self, index: int, process: subprocess.Popen) -> None:
        assert process.stdout is not None, "workers are started with a pipe"
        for line in process.stdout:
            self._messages.put((index, json.loads(line)))
        self._messages.put((index, None))
