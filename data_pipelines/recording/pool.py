"""Worker processes that record chunks: started, fed, listened to and ended."""

import collections
import contextlib
import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.recording.job import Job
from data_pipelines.suites.outside.process import ONE_THREAD, ended, python_path, resident_mebibytes

_LOG_TAIL = 1500
_OPENING = 360.0  # seconds to start a worker, or to open a world: a player that hangs says so before
_LOOK = 5.0  # seconds between two looks at how much memory the workers hold
_GRACE = 120.0  # seconds: to write an episode and to open its world again, beside what an attempt may take
_DEATHS = 3  # of workers over one chunk, or of one worker before it has begun

Message = dict[str, Any]


class WorkerPool:
    """Processes of `recording.worker`. Use with `with`: leaving ends the processes, whatever they are doing.

    A worker that ends is replaced, and one that says nothing for too long, or takes too much memory, is ended. Its
    chunk is recorded again, with the world in a process of its own, so that whatever the world does costs one episode.

    Args:
      workers: number of processes.
      logs: directory for what they print on stderr.
      keep_open: file descriptors that the workers inherit.
      grace: seconds beside a job's time limit after which a silent worker is ended.
    """

    def __init__(self, workers: int, *, logs: Path, keep_open: Sequence[int] = (), grace: float = _GRACE):
        self._logs = [logs / f"worker-{index:02d}.log" for index in range(workers)]
        self._keep_open = tuple(keep_open)
        self._grace = grace
        self._processes: dict[int, subprocess.Popen] = {}
        self._messages: queue.Queue[tuple[int, subprocess.Popen, Message | None]] = queue.Queue()
        self._at_work: dict[int, Job] = {}
        self._deadlines: dict[int, float] = {}
        self._ended: dict[int, str] = {}  # workers that were ended here, and why
        self._isolated: set[str] = set()  # tasks

    def __enter__(self) -> "WorkerPool":
        for index in range(len(self._logs)):
            self._start(index)
        return self

    def __exit__(self, *exception) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            _let_go(process)

    def run(
        self, jobs: Sequence[Job], wanted: Callable[[Job], bool] = lambda job: True
    ) -> Iterator[tuple[Job, Message]]:
        """Deals the jobs in order to workers that are free and yields (job, message) as messages come.

        Messages have a "type": "attempt" (counts so far), "beat", "again" (its worker ended; it is begun again), "done"
        or "failed". A failure that ends the pool is one of "all".

        Args:
          jobs: to record.
          wanted: whether a job is still to be begun, when its turn comes.
        """
        waiting = list(reversed(jobs))
        deaths: collections.Counter[Any] = collections.Counter()
        while waiting or self._at_work:
            index, message = self._next()
            job = self._at_work.get(index)
            if message is None:
                self._at_work.pop(index, None)
                key = index if job is None else (job.task, job.chunk)
                deaths[key] += 1
                why = self._last_words(index)
                if lost := deaths[key] >= _DEATHS:
                    task = "nothing yet" if job is None else job.task
                    text = f"{deaths[key]} times while recording {task}: {why}"
                    failed = {"type": "failed", "error": "WorkerDied", "message": text}
                    yield job or jobs[0], failed | {"all": job is None}
                if lost and job is None:
                    return
                _let_go(self._processes[index])
                self._start(index)
                if job is not None and not lost:
                    self._isolated.add(job.task)
                    waiting.append(job)
                    yield job, {"type": "again", "message": why}
                continue
            if job is not None:
                yield job, message
            if message["type"] in ("ready", "done", "failed"):
                self._at_work.pop(index, None)
                self._deadlines.pop(index, None)
                while waiting and not wanted(waiting[-1]):
                    waiting.pop()
                if waiting:
                    self._give(index, waiting.pop())
            elif job is not None:
                self._deadlines[index] = time.monotonic() + job.time_limit + self._grace

    def _next(self) -> tuple[int, Message | None]:
        """The next message of a worker, None for its end. Ends workers that are silent for too long, or too large."""
        while True:
            now = time.monotonic()
            late = [index for index, deadline in self._deadlines.items() if deadline <= now]
            # What was said in time counts, also where this process was stopped and reads it late.
            for index in late if self._messages.empty() else ():
                del self._deadlines[index]
                self._end(index, "did nothing for too long")
            self._end_outgrown()
            wait = min(_LOOK, max(0.0, min(self._deadlines.values(), default=now + _LOOK) - now))
            try:
                index, process, message = self._messages.get(timeout=wait)
            except queue.Empty:
                continue
            if self._processes[index] is process:
                return index, message

    def _end_outgrown(self) -> None:
        for index, job in self._at_work.items():
            memory = resident_mebibytes(self._processes[index].pid)
            if job.most_memory and memory > job.most_memory and index not in self._ended:
                self._end(index, f"took {memory:.0f} MiB of memory, more than {job.most_memory:.0f}")

    def _end(self, index: int, why: str) -> None:
        self._ended[index] = why
        self._processes[index].kill()

    def _give(self, index: int, job: Job) -> None:
        job = dataclasses.replace(job, isolated=job.task in self._isolated)
        self._at_work[index] = job
        if job.attempts:  # Text and questions are written at once.
            self._deadlines[index] = time.monotonic() + _OPENING
        stdin = self._processes[index].stdin
        assert stdin is not None, "workers are started with a pipe"
        try:
            stdin.write(json.dumps(dataclasses.asdict(job)) + "\n")
        except BrokenPipeError:
            return  # the worker died: its end of file is in the queue, with the log to tell why

    def _last_words(self, index: int) -> str:
        """How a worker ended, and what it printed at last."""
        process, log = self._processes[index], self._logs[index].read_text()[-_LOG_TAIL:].strip()
        code = process.wait()
        how = ended(code) + " (nobody here sent it: was memory short?)" * (code == -signal.SIGKILL)
        if why := self._ended.pop(index, ""):
            how = f"{why}, so it was ended"
        return f"its worker {how}" + f": {log}" * bool(log)

    def _start(self, index: int) -> None:
        environment = os.environ | {
            "PYTHONPATH": python_path(),
            "MUJOCO_GL": "disabled",  # TensorFlow and an OpenGL renderer cannot share a process
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
            **ONE_THREAD,
        }
        self._deadlines[index] = time.monotonic() + _OPENING
        with open(self._logs[index], "w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "data_pipelines.recording.worker", str(os.getpid())],
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
        self._processes[index] = process
        threading.Thread(target=self._listen, args=(index, process), daemon=True).start()

    def _listen(self, index: int, process: subprocess.Popen) -> None:
        assert process.stdout is not None, "workers are started with a pipe"
        for line in process.stdout:
            if line.endswith("\n"):  # else it was killed while it wrote
                self._messages.put((index, process, json.loads(line)))
        self._messages.put((index, process, None))


def _let_go(process: subprocess.Popen) -> None:
    """Waits for a process that ends, and closes the pipe to it."""
    process.wait()
    assert process.stdin is not None, "workers are started with a pipe"
    with contextlib.suppress(BrokenPipeError):  # a job that it never read
        process.stdin.close()
