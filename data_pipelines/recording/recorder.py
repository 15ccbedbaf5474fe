"""The recording itself: what is left to do, who does it, and when a task is whole.

Work is cut into chunks that do not depend on the number of workers, so a seed gives the same data on any machine.
Everything is written under `.partial` first; a task that is whole moves to its place in one rename. After any
interrupt the next run keeps the finished chunks and records the others again.
"""

import collections
import errno
import hashlib
import importlib.metadata
import json
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_sorted_json, write_text
from data_pipelines.ranges import Count, check_call
from data_pipelines.read_json import read_json
from data_pipelines.recording import bundled_text
from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.job import Job
from data_pipelines.recording.outside import WorldOptions, describe_worlds, is_world
from data_pipelines.recording.players import check_drawing, outside_json
from data_pipelines.recording.pool import WorkerPool
from data_pipelines.recording.progress import ConsoleProgress, Progress
from data_pipelines.recording.rlds.envlogger_absent import why_absent
from data_pipelines.recording.summary import RecordingSummary
from data_pipelines.recording.worker import CHUNK_FILE
from data_pipelines.scores import EVALUATION_SEED_BASE, Normaliser, freeze_scores
from data_pipelines.storage import data_directory
from data_pipelines.storage.data_directory import PARTIAL, RECORDING_FILE, SPEC_FILE, RecordingError
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.bundled.documents import python_documents
from data_pipelines.suites.outside.experts import RANDOM
from data_pipelines.suites.outside.versions import package_versions

_PACKAGES = ("envlogger", "numpy", "tensorflow")
_STARTS_PER_CHUNK = 25
_MEMORY = 4096.0  # MiB that a process which plays a world may hold
_LEAST_COST = 2.0  # seconds: what a chunk takes at least, to load its simulator and close its files


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
    progress: Callable[[Progress], None] | None = None,
) -> RecordingSummary:
    """Records tasks into a data directory. Complete tasks with equal settings are reused.

    Args:
      tasks: "default", "all", or names (see `catalog.select`); worlds of your own by "package.module:factory" or
        "gymnasium:ID", whose code then runs.
      out: data directory; new, empty or one that an earlier recording wrote.
      workers: processes that record at the same time. The data does not depend on it.
      seed: short for `config.seed`; `config` must then be None. So it is with the next three.
      episodes: short for `config.episodes`.
      scale: short for `config.scale`.
      validation: short for `config.validation`.
      config: all options.
      world: how worlds of your own are recorded; they need an expert.
      progress: called after every attempt; None shows it on stderr.

    Raises:
      RecordingError: the directory is of another kind, busy, not writable or full; a task was recorded with other
        settings; too few episodes passed a bar; workers died.
      ValueError: unknown tasks or bad options; `WorldError`: what is wrong with a world or its expert.

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
    check_call(record, {"workers": workers})
    words = [word.strip() for word in (tasks.split(",") if isinstance(tasks, str) else tasks)]
    own, named = [word for word in words if is_world(word)], [word for word in words if not is_world(word)]
    chosen: tuple[Task, ...] = () if own and not named else catalog.select(named)
    out = Path(out)
    console = ConsoleProgress()
    say = _teller(progress or console)
    chosen = (*chosen, *describe_worlds(own, world or WorldOptions(), say))
    try:
        data_directory.claim(out)
        with data_directory.lock(out) as lock:
            return _Recording(chosen, out, config, workers, progress or console).run(lock)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise RecordingError(f"disk full while recording into {out}: free some space and run again") from error
        raise RecordingError(f"cannot record into {out}: {error.strerror or error}") from error
    finally:
        console.close()


def _teller(progress: Callable[[Progress], None]) -> Callable[[str, str], None]:
    """Tells news of a task before there is anything to count."""
    return lambda task, news: progress(Progress(task, news, 0, 0, 0, 0, 0, 0.0, None))


class _Recording:
    """One run of `record`."""

    def __init__(
        self, tasks: tuple[Task, ...], out: Path, config: RecordingConfig, workers: int,
        progress: Callable[[Progress], None],
    ):  # fmt: skip
        self._tasks = {task.name: task for task in tasks}
        self._out = out
        self._config = config
        self._workers = workers
        self._progress = progress
        self._started = time.monotonic()
        self._settings = {task.name: config.task_settings(task) for task in tasks}
        self._counts: dict[tuple[str, int], dict[str, int]] = {}  # of every chunk so far
        self._fresh: dict[tuple[str, int], Job] = {}  # chunks of this run
        self._done = 0

    def run(self, lock: int) -> RecordingSummary:
        partial = self._out / PARTIAL
        reused = tuple(
            name for name in self._tasks if data_directory.is_complete(self._out, name, self._settings[name])
        )
        for name in reused:
            self._done += 1
            self._report(name, "reused: recorded before with the same settings")
        jobs = {name: self._jobs(self._tasks[name]) for name in self._tasks if name not in reused}
        waiting: dict[str, set[int]] = {name: set() for name in jobs}
        for job in (job for chunks in jobs.values() for job in chunks):
            if (chunk := _finished_chunk(job)) is None:
                self._fresh[job.task, job.chunk] = job
                waiting[job.task].add(job.chunk)
            else:
                self._count(job, {**chunk, "rejected": sum(chunk["rejected"].values())})
        for name in [name for name, chunks in waiting.items() if not chunks]:
            self._finish(jobs[name])
        if self._fresh:
            self._say_whether_envlogger_writes()
            for name in _one_of_each_suite(task for task, _ in self._fresh if self._tasks[task].draws):
                self._report(name, "draws its observations: trying the renderer")
                check_drawing(name)
            partial.mkdir(exist_ok=True)
            # The longest first, so that no worker is left alone with a long chunk at the end.
            todo = sorted(self._fresh.values(), key=_cost, reverse=True)
            with WorkerPool(min(self._workers, len(todo)), logs=partial, keep_open=(lock,)) as pool:
                for job, message in pool.run(todo):
                    self._hear(job, message)
                    if message["type"] == "done":
                        waiting[job.task].discard(job.chunk)
                        if not waiting[job.task]:
                            self._finish(jobs[job.task])
        self._train_tokenizer()
        shutil.rmtree(partial, ignore_errors=True)
        return RecordingSummary(
            tasks={name: self._numbers(name) for name in jobs},
            reused=reused,
            seconds=time.monotonic() - self._started,
        )

    def _say_whether_envlogger_writes(self) -> None:
        episodes = any(self._tasks[task].source is Source.ENVIRONMENT for task, _ in self._fresh)
        if episodes and (reason := why_absent()):
            self._report("", f"EnvLogger cannot be imported here ({reason}): the same files are written without it")

    def _jobs(self, task: Task) -> list[Job]:
        settings = self._settings[task.name]
        root = self._out / PARTIAL / task.name
        common: dict[str, Any] = {
            "task": task.name,
            "fingerprint": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
            "seed": self._config.seed,
            "outside": outside_json(task.outside),
        }
        if task.source is not Source.ENVIRONMENT:
            return [Job(chunk=0, episodes=settings.get("episodes", 0), directory=str(root / "chunk-00"), **common)]
        noise, size, starts = settings["noise"], settings["chunk"], settings["starts"]
        # (episodes, bar, steps, split, noise) of each chunk: whole episodes, beginnings of further ones, held-out ones.
        parts: list[tuple[int, float | None, int | None, str, dict[str, Any] | None]] = [
            (count, task.bar, None, "train", noise) for count in _parts(settings["episodes"], size)
        ]
        if starts is not None:
            counts = _parts(starts["episodes"], _STARTS_PER_CHUNK)
            other = noise and starts.get("noise", noise)
            parts += [(count, starts["bar"], starts["steps"], "train", other) for count in counts]
        parts += [(count, task.bar, None, "validation", noise) for count in _parts(settings.get("validation", 0), size)]
        # The same for all chunks of a task: their seeds are slices of this length.
        attempts = max(size, _STARTS_PER_CHUNK) * self._config.attempts_per_episode + 10
        if len(parts) * attempts + self._config.random_episodes > EVALUATION_SEED_BASE:
            raise ValueError(f"task {task.name!r}: {settings['episodes']} episodes need more seeds than there are")
        return [
            Job(
                chunk=index,
                episodes=episodes,
                directory=str(root / f"chunk-{index:02d}"),
                attempts=attempts,
                random_episodes=self._config.random_episodes if index == 0 else 0,
                bar=bar,
                steps=steps,
                split=split,
                noise=None if noise is None else (noise["low"], noise["high"]),
                noise_share=0.0 if noise is None else noise["share"],
                noise_hold=1 if noise is None else noise.get("hold", 1),
                time_limit=task.time_limit,
                memory=_MEMORY,
                episodes_per_file=self._config.episodes_per_file,
                **common,
            )
            for index, (episodes, bar, steps, split, noise) in enumerate(parts)
        ]

    def _hear(self, job: Job, message: dict[str, Any]) -> None:
        if message["type"] == "failed":
            text = message["message"]
            # TensorFlow's writers report a full disk in their own exceptions.
            if "No space left" in text:
                raise OSError(errno.ENOSPC, text)
            raise RecordingError(f"recording {job.task!r} failed: {message['error']}: {text}")
        if message["type"] == "again":
            self._report(job.task, f"part {job.chunk} is recorded again: {_shortened(message['message'])}")
        if message["type"] == "attempt":
            self._count(job, message)
            self._report(job.task, "")

    def _finish(self, jobs: list[Job]) -> None:
        """Puts a task whose chunks are all there into its place."""
        task = self._tasks[jobs[0].task]
        root = Path(jobs[0].directory).parent
        chunks = [_finished_chunk(job) or {} for job in jobs]
        rejected = _summed(chunk["rejected"] for chunk in chunks)
        record = {
            "kept": sum(chunk["kept"] for chunk in chunks),
            "rejected": sum(rejected.values()),
            "rejected_because": rejected,
            "steps": sum(chunk["steps"] for chunk in chunks),
            "seconds": sum(chunk["seconds"] for chunk in chunks),
            "settings": self._settings[task.name],
            "origin": task.origin,
            "expert": task.expert,
            "versions": _versions(task),
        }
        if task.source is Source.ENVIRONMENT:
            returns: dict[str, list[float]] = {
                key: [value for chunk in chunks for value in chunk["returns"][key]] for key in chunks[0]["returns"]
            }
            record |= {"bar": task.bar, "returns": returns}
            if replaced := _summed(chunk.get("replaced", {}) for chunk in chunks):
                record["processes_replaced_because"] = replaced
            record["texts"] = sorted({text for chunk in chunks for text in chunk["texts"]})
            write_text(root / SPEC_FILE, chunks[0]["spec"])
            self._freeze_score(task, returns)
        else:
            record["counts"] = chunks[0]["counts"]
            write_sorted_json(root / SPEC_FILE, {"name": task.name, "kind": task.source.value})
        write_sorted_json(root / RECORDING_FILE, record)
        root.rename(self._out / task.name)
        self._done += 1
        self._report(task.name, f"done, {record['kept']} kept, {record['rejected']} rejected")

    def _freeze_score(self, task: Task, returns: dict[str, list[float]]) -> None:
        if task.expert == RANDOM:
            self._report(task.name, "has no score entry: the random policy cannot be compared with itself")
            return
        try:
            normaliser = Normaliser.from_returns(returns["expert"], returns["random"])
        except ValueError as error:
            raise RecordingError(f"task {task.name!r}: {error}") from error
        if freeze_scores(self._out, {task.name: normaliser}):
            self._report(task.name, "keeps the score entry it had: scores are frozen")

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

    def _numbers(self, name: str) -> dict[str, float]:
        record = read_json(self._out / name / RECORDING_FILE, "what a task was recorded with")
        numbers = {key: record[key] for key in ("kept", "rejected", "steps", "seconds")}
        for key in ("expert", "random"):
            if values := record.get("returns", {}).get(key):
                numbers[key] = sum(values) / len(values)
        return numbers

    def _count(self, job: Job, counts: dict[str, Any]) -> None:
        self._counts[job.task, job.chunk] = {key: counts[key] for key in ("kept", "rejected", "steps")}

    def _report(self, task: str, message: str) -> None:
        elapsed = time.monotonic() - self._started
        fresh = {key: self._counts[key] for key in self._fresh if key in self._counts}
        total = sum(map(_cost, self._fresh.values()))
        done = sum(
            _cost(self._fresh[key]) * count["kept"] / max(1, self._fresh[key].episodes) for key, count in fresh.items()
        )
        self._progress(
            Progress(
                task=task,
                message=message,
                tasks_done=self._done,
                tasks_total=len(self._tasks),
                kept=sum(count["kept"] for count in self._counts.values()),
                rejected=sum(count["rejected"] for count in self._counts.values()),
                steps=sum(count["steps"] for count in self._counts.values()),
                steps_per_second=sum(count["steps"] for count in fresh.values()) / max(elapsed, 1e-9),
                seconds_left=max(0.0, elapsed * (total - done) / done) if done > 0.02 * total else None,
            )
        )


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: collections.Counter[str] = collections.Counter()
    for of_one in counts:
        total.update(of_one)
    return dict(total)


def _shortened(text: str) -> str:
    """The first and the last of many lines."""
    first, *others = text.splitlines()
    return f"{first} ... {others[-1]}" if others else first


def _parts(total: int, size: int) -> list[int]:
    """Episodes of each chunk."""
    return [min(size, total - first) for first in range(0, total, size)]


def _one_of_each_suite(names: Iterable[str]) -> list[str]:
    return list({name.partition(".")[0]: name for name in names}.values())


def _cost(job: Job) -> float:
    """Rough seconds that a chunk takes."""
    if job.outside:
        return max(_LEAST_COST, float(job.episodes))
    task = catalog.get(job.task)
    share = job.steps / catalog.suite_of(task.domain).episode_steps if job.steps else 1.0
    return max(_LEAST_COST, job.episodes * share * task.seconds)


def _finished_chunk(job: Job) -> dict[str, Any] | None:
    """What a chunk holds if it was finished with these settings, else None."""
    path = Path(job.directory) / CHUNK_FILE
    if not path.exists():
        return None
    chunk = read_json(
        path, "a finished part of a recording", keys=("fingerprint",), remedy="delete it and run the same command again"
    )
    return chunk if chunk["fingerprint"] == job.fingerprint else None


def _versions(task: Task | None = None) -> dict[str, str]:
    """Of the packages that make and write data, whichever task was recorded, and of those that hold its own world."""
    versions = {}
    for package in (*catalog.packages(catalog.suites()), *_PACKAGES):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    if why_absent():
        versions["envlogger"] = "cannot be imported"
    return versions | (package_versions(task.requires) if task is not None and task.outside else {})
