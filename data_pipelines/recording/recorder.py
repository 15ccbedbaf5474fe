"""The recording itself: what is left to do, who does it, and when a task is whole.

Work is cut into chunks that do not depend on the number of workers, so a seed gives the same data on any machine.
Everything is written under `.partial` first; a task that is whole moves to its place in one rename. After any
interrupt the next run keeps the finished chunks and records the others again.
"""

import collections
import errno
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.ranges import Count, Minutes, check_call
from data_pipelines.read_json import read_json
from data_pipelines.recording import bundled_text
from data_pipelines.recording.beam_pipeline import run_beam
from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.job import Job
from data_pipelines.recording.outside import WorldOptions, describe_worlds, is_world
from data_pipelines.recording.plan.budget import within_minutes
from data_pipelines.recording.plan.forecast import Forecast, job_seconds
from data_pipelines.recording.plan.pace import Pace
from data_pipelines.recording.plan.work_list import WorkList, work_list
from data_pipelines.recording.players import check_drawing
from data_pipelines.recording.pool import WorkerPool
from data_pipelines.recording.progress import ConsoleProgress, Progress, show_table
from data_pipelines.recording.rlds.envlogger_absent import why_absent
from data_pipelines.recording.summary import RecordingSummary
from data_pipelines.recording.whole_task import finish
from data_pipelines.storage import data_directory
from data_pipelines.storage.data_directory import PARTIAL, RECORDING_FILE, RecordingError
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.bundled.documents import python_documents
from data_pipelines.words import counted, size


class TasksFailed(RecordingError):
    """Some tasks could not be recorded; all others are whole.

    Args:
      failures: task -> why.
      summary: of the others.
    """

    def __init__(self, failures: Mapping[str, str], summary: RecordingSummary):
        lines = [f"recording {name!r} failed: {why}" for name, why in failures.items()]
        others = f" (whole: {counted(len(summary.tasks) + len(summary.reused), 'other task')})"
        super().__init__("\n".join(lines) + others)
        self.failures, self.summary = dict(failures), summary


def record(
    tasks: str | Iterable[str],
    out: str | Path,
    *,
    workers: Count = 2,
    seed: int = 0,
    episodes: int | None = None,
    scale: float = 1.0,
    validation: float = 0.0,
    config: RecordingConfig | None = None,
    world: WorldOptions | None = None,
    minutes: Minutes | None = None,
    any_number: bool = False,
    again: bool = False,
    beam: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
) -> RecordingSummary:
    """Records tasks into a data directory. Complete tasks with equal settings are reused.

    Args:
      tasks: "default", "all", or names (see `catalog.select`); worlds of your own by "package.module:factory" or
        "gymnasium:ID", whose code then runs.
      out: data directory; new, empty or one that an earlier recording wrote.
      workers: processes that record at the same time. The data does not depend on it, unless minutes are given.
      seed: short for `config.seed`; `config` must then be None. So it is with the next three.
      episodes: short for `config.episodes`.
      scale: short for `config.scale`.
      validation: short for `config.validation`.
      config: all options.
      world: how worlds of your own are recorded; they need an expert.
      minutes: on the clock, by what is foretold: every task keeps the same share of its episodes, so that all fit.
        Implies `any_number`.
      any_number: reuse tasks that are there with other numbers of episodes, and nothing else different.
      again: record tasks again that are there with other settings, in their place.
      beam: options of an Apache Beam pipeline that records instead of processes here, such as
        ["--runner=DirectRunner"]; every worker must see `out`.
      progress: called after every attempt; None shows it on stderr, after a table of what is foretold.

    Raises:
      RecordingError: the directory is of another kind, busy, not writable or full; a task was recorded with other
        settings. `TasksFailed`: too few episodes of a task passed its bar, or its workers died; the others are whole.
      ValueError: unknown tasks or bad options, or too few minutes for one episode of each task; `WorldError`: what is
        wrong with a world or its expert.

    Examples:
      Calling again finds the task whole, and uses it as it is.

      >>> from data_pipelines import record
      >>> record(["vqa.easy_vqa"], "data", episodes=12).reused
      ('vqa.easy_vqa',)
    """
    if config is None:
        config = RecordingConfig(seed=seed, episodes=episodes, scale=scale, validation=validation)
    elif seed or episodes is not None or scale != 1.0 or validation:
        raise ValueError("give seed, episodes, scale and validation inside config, or no config")
    check_call(record, {"workers": workers, "minutes": minutes})
    out, console = Path(out), ConsoleProgress()
    chosen = _chosen(tasks, world or WorldOptions(), _teller(progress or console))
    if minutes is not None:
        config = within_minutes(chosen, config, minutes=minutes, workers=workers)
        any_number = True
    try:
        data_directory.claim(out)
        with data_directory.lock(out) as lock:
            work = work_list(chosen, out, config, workers=workers, any_number=any_number, again=again)
            if progress is None:
                _show(work.forecast)
            return _Recording(work, out, config, workers, progress or console).run(lock, beam)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise RecordingError(f"disk full while recording into {out}: free some space and run again") from error
        raise RecordingError(f"cannot record into {out}: {error.strerror or error}") from error
    finally:
        console.close()


def foretell(
    tasks: str | Iterable[str],
    out: str | Path,
    config: RecordingConfig,
    *,
    workers: Count = 2,
    world: WorldOptions | None = None,
    minutes: Minutes | None = None,
    any_number: bool = False,
    again: bool = False,
) -> Forecast:
    """What `record` would take with the same arguments. Writes nothing. Arguments and errors as there."""
    check_call(foretell, {"workers": workers, "minutes": minutes})
    chosen = _chosen(tasks, world or WorldOptions(), lambda task, news: None)
    if minutes is not None:
        config = within_minutes(chosen, config, minutes=minutes, workers=workers)
        any_number = True
    return work_list(chosen, Path(out), config, workers=workers, any_number=any_number, again=again).forecast


def _chosen(tasks: str | Iterable[str], world: WorldOptions, say: Callable[[str, str], None]) -> tuple[Task, ...]:
    words = [word.strip() for word in (tasks.split(",") if isinstance(tasks, str) else tasks)]
    own, named = [word for word in words if is_world(word)], [word for word in words if not is_world(word)]
    chosen: tuple[Task, ...] = () if own and not named else catalog.select(named)
    return (*chosen, *describe_worlds(own, world, say))


def _show(forecast: Forecast) -> None:
    if forecast.tasks:
        show_table(forecast.table(), sys.stderr, forecast.line())


def _teller(progress: Callable[[Progress], None]) -> Callable[[str, str], None]:
    """Tells news of a task before there is anything to count."""
    return lambda task, news: progress(Progress(task, news, 0, 0, 0, 0, 0, 0.0, None))


class _Recording:
    """One run of `record`."""

    def __init__(
        self, work: WorkList, out: Path, config: RecordingConfig, workers: int, progress: Callable[[Progress], None]
    ):
        self._work = work
        self._out = out
        self._config = config
        self._workers = workers
        self._progress = progress
        self._started = time.monotonic()
        self._pace = Pace(work.fresh, workers)
        self._counts: dict[tuple[str, int], dict[str, int]] = {}  # of every part so far
        self._total: collections.Counter[str] = collections.Counter()
        self._fresh_steps = 0
        self._records: dict[str, dict[str, Any]] = {}  # of the tasks that this run made whole
        self._failed: dict[str, str] = {}  # task -> why

    def run(self, lock: int, beam: Sequence[str]) -> RecordingSummary:
        work = self._work
        for name, news in (*work.reused.items(), *work.remade.items()):
            self._report(name, news)
        waiting: dict[str, set[int]] = {name: set() for name in work.jobs}
        for task, chunk in work.fresh:
            waiting[task].add(chunk)
        for job, part in work.finished:
            self._count(job, {**part, "rejected": sum(part["rejected"].values())})
        for name in [name for name, chunks in waiting.items() if not chunks]:
            self._finish(name)
        if work.fresh:
            self._check_disk()
            self._say_whether_envlogger_writes()
            for name in _one_of_each_suite(task for task, _ in work.fresh if work.tasks[task].draws):
                self._report(name, "draws its observations: trying the renderer")
                check_drawing(name)
            (self._out / PARTIAL).mkdir(exist_ok=True)
            for job, message in self._messages(lock, beam):
                self._hear(job, message)
                if message["type"] == "done":
                    waiting[job.task].discard(job.chunk)
                    if not waiting[job.task]:
                        self._finish(job.task)
        self._train_tokenizer()
        summary = RecordingSummary(
            tasks={name: _numbers(record) for name, record in sorted(self._records.items())},
            reused=tuple(work.reused),
            seconds=time.monotonic() - self._started,
            rejected_because={
                name: record["rejected_because"]
                for name, record in sorted(self._records.items())
                if record["rejected_because"]
            },
        )
        if self._failed:
            raise TasksFailed(self._failed, summary)
        shutil.rmtree(self._out / PARTIAL, ignore_errors=True)
        return summary

    def _messages(self, lock: int, beam: Sequence[str]) -> Iterator[tuple[Job, dict[str, Any]]]:
        """What is heard of the parts that are left, while somebody records them."""
        # The longest first, so that no worker is left alone with a long part at the end.
        todo = sorted(self._work.fresh.values(), key=job_seconds, reverse=True)
        if beam:
            yield from run_beam(todo, beam)
            return
        with WorkerPool(min(self._workers, len(todo)), logs=self._out / PARTIAL, keep_open=(lock,)) as pool:
            yield from pool.run(todo, wanted=lambda job: job.task not in self._failed)

    def _check_disk(self) -> None:
        free, needed = shutil.disk_usage(self._out).free, self._work.forecast.bytes
        if needed > free:
            raise RecordingError(
                f"this recording needs about {size(needed)}, and {self._out} has {size(free)} left: free some space, "
                "or record less (--minutes, --scale, fewer tasks)"
            )

    def _say_whether_envlogger_writes(self) -> None:
        episodes = any(self._work.tasks[task].source is Source.ENVIRONMENT for task, _ in self._work.fresh)
        if episodes and (reason := why_absent()):
            self._report("", f"EnvLogger cannot be imported here ({reason}): the same files are written without it")

    def _hear(self, job: Job, message: dict[str, Any]) -> None:
        if message["type"] == "failed":
            text = message["message"]
            # TensorFlow's writers report a full disk in their own exceptions.
            if "No space left" in text:
                raise OSError(errno.ENOSPC, text)
            why = f"{message['error']}: {text}"
            if message.get("all"):
                raise RecordingError(f"recording {job.task!r} failed: {why}")
            self._fail(job.task, why)
        if message["type"] == "again":
            self._report(job.task, f"part {job.chunk} is recorded again: {_shortened(message['message'])}")
        if message["type"] == "attempt":
            self._count(job, message)
            self._report(job.task, "")

    def _fail(self, task: str, why: str) -> None:
        """Gives a task up, and no other."""
        if task not in self._failed:
            self._failed[task] = why
            self._pace.drop(task)
            self._report(task, f"failed, and is left out: {_shortened(why)}")

    def _finish(self, name: str) -> None:
        """Puts a task whose parts are all there into its place."""
        work = self._work
        try:
            record = finish(self._out, work.tasks[name], work.jobs[name], work.settings[name], self._report)
        except RecordingError as error:
            self._fail(name, str(error))
            return
        self._records[name] = record
        self._report(name, f"done, {record['kept']} kept, {record['rejected']} rejected")

    def _train_tokenizer(self) -> None:
        """Trains the text model unless there is one. It always learns from the standard library's documentation."""
        path = self._out / bundled_text.TOKENIZER_FILE
        if path.exists():
            return
        self._report("", "training the text model")
        phrases: list[str] = []
        for recording in sorted(self._out.glob(f"*/{RECORDING_FILE}")):
            recorded = read_json(recording, "what a task was recorded with", keys={"settings": dict})
            phrases += recorded.get("texts", [])
            phrases += bundled_text.spoken_texts(recorded["settings"]["task"])
        bundled_text.train_tokenizer(python_documents(), path, pieces=self._config.text_pieces, phrases=phrases)

    def _count(self, job: Job, counts: dict[str, Any]) -> None:
        key = (job.task, job.chunk)
        now = {name: counts[name] for name in ("kept", "rejected", "steps")}
        before = self._counts.get(key, dict.fromkeys(now, 0))
        self._counts[key] = now
        self._total.update({name: now[name] - before[name] for name in now})
        if key in self._work.fresh:
            self._fresh_steps += now["steps"] - before["steps"]
            self._pace.hear(key, now["kept"] / max(1, job.episodes))

    def _report(self, task: str, message: str) -> None:
        elapsed = time.monotonic() - self._started
        self._progress(
            Progress(
                task=task,
                message=message,
                tasks_done=len(self._work.reused) + len(self._records),
                tasks_total=len(self._work.tasks),
                kept=self._total["kept"],
                rejected=self._total["rejected"],
                steps=self._total["steps"],
                steps_per_second=self._fresh_steps / max(elapsed, 1e-9),
                seconds_left=self._pace.seconds_left(elapsed),
            )
        )


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    numbers = {key: record[key] for key in ("kept", "rejected", "steps", "seconds")}
    for key in ("expert", "random"):
        if values := record.get("returns", {}).get(key):
            numbers[key] = sum(values) / len(values)
    return numbers


def _shortened(text: str) -> str:
    """The first and the last of many lines."""
    first, *others = text.splitlines()
    return f"{first} ... {others[-1]}" if others else first


def _one_of_each_suite(names: Iterable[str]) -> list[str]:
    return list({name.partition(".")[0]: name for name in names}.values())
