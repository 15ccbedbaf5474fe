"""Recording: expert x environment -> TFDS directories, in parallel, restartable, done once.

Work is cut into chunks that do not depend on the number of workers, so a seed gives the same data on any machine size.
Everything is written under `.partial` first; a task that is whole moves to its place in one rename. After any
interrupt the next run keeps the finished chunks and redoes the others.
"""

import dataclasses
import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from data_pipelines import documents
from data_pipelines.environments import catalog
from data_pipelines.environments.catalog import Source, Task
from data_pipelines.files import write_json, write_text
from data_pipelines.recording_pool import WorkerPool
from data_pipelines.recording_worker import CHUNK_FILE, Job
from data_pipelines.scores import Normaliser, freeze_scores

FORMAT = {"format": "gato-jax recording", "version": 1}
FORMAT_FILE = "format.json"
RECORDING_FILE = "recording.json"
SPEC_FILE = "spec.json"
PARTIAL = ".partial"
LOCK_FILE = ".lock"
_LOCK_WAIT_SECONDS = 10.0
_PACKAGES = ("dm-control", "mujoco", "metaworld", "minigrid", "ale-py", "easy-vqa", "envlogger", "numpy", "tensorflow")


class RecordingError(Exception):
    """A recording cannot go on; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class RecordingConfig:
    """Options of a recording; together with the seed they decide the data.

    Args:
      seed: of all episodes.
      episodes: to keep per control task (questions for VQA); None takes each task's own number.
      action_noise: whether tasks with noise get it.
      random_episodes: of the random policy per task, whose mean return scores 0.
      attempts_per_episode: a chunk gives up after this many attempts per episode to keep, and ten more.
      episodes_per_file: shard size.
      text_pieces: size of the SentencePiece model trained on the recorded text.
    """

    seed: int = 0
    episodes: int | None = None
    action_noise: bool = True
    random_episodes: int = 10
    attempts_per_episode: int = 3
    episodes_per_file: int = 64
    text_pieces: int = 1024

    def __post_init__(self):
        for name in ("random_episodes", "attempts_per_episode", "episodes_per_file"):
            if getattr(self, name) < 1:
                raise ValueError(f"recording.{name} must be positive, found {getattr(self, name)}")
        if self.episodes is not None and self.episodes < 1:
            raise ValueError(f"recording.episodes must be positive or None, found {self.episodes}")
        if self.seed < 0:
            raise ValueError(f"recording.seed must not be negative, found {self.seed}")


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a recording stands. `seconds_left` is None until there is something to extrapolate from."""

    task: str
    message: str
    tasks_done: int
    tasks_total: int
    kept: int
    rejected: int
    steps: int
    steps_per_second: float
    seconds_left: float | None


@dataclasses.dataclass(frozen=True)
class RecordingSummary:
    """What a run did.

    Args:
      recorded: tasks recorded by this run.
      reused: tasks that were complete already, with equal settings.
      kept, rejected, steps: sums over `recorded`.
      seconds: wall time.
      task_seconds: worker time per recorded task.
    """

    recorded: tuple[str, ...]
    reused: tuple[str, ...]
    kept: int
    rejected: int
    steps: int
    seconds: float
    task_seconds: dict[str, float]


def record(
    tasks: str | Iterable[str],
    out: str | Path,
    *,
    workers: int = 2,
    seed: int = 0,
    episodes: int | None = None,
    config: RecordingConfig | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> RecordingSummary:
    """Records tasks into a data directory. Complete tasks with equal settings are reused.

    Args:
      tasks: "default", "all", or names (see `catalog.select`).
      out: data directory; new, empty or one that an earlier recording wrote.
      workers: processes that record at the same time. The data does not depend on it.
      seed, episodes: short for the same fields of `config`, which must then be None.
      config: all options.
      progress: called after every attempt.

    Raises:
      RecordingError: the directory is of another kind, busy, not writable or full; a task was recorded with other
        settings; too few episodes passed a bar; a worker died.
      ValueError: unknown tasks or bad options.
    """
    if config is None:
        config = RecordingConfig(seed=seed, episodes=episodes)
    elif seed or episodes is not None:
        raise ValueError("give seed and episodes inside config, or no config")
    if workers < 1:
        raise ValueError(f"workers must be positive, found {workers}")
    chosen = catalog.select(tasks)
    out = Path(out)
    try:
        _claim_directory(out)
        with _lock(out) as lock:
            return _Recording(chosen, out, config, workers, progress).run(lock)
    except OSError as error:
        raise RecordingError(f"cannot write to {out}: {error.strerror or error}") from error


def _claim_directory(out: Path) -> None:
    marker = out / FORMAT_FILE
    if marker.is_file():
        try:
            found = json.loads(marker.read_text())
        except ValueError:
            found = marker.read_text()[:80]
        if found != FORMAT:
            raise RecordingError(f"{marker}: expected {FORMAT}, found {found}; choose another directory")
        return
    if out.is_dir() and (files := sorted(path.name for path in out.iterdir())):
        raise RecordingError(
            f"{out} is not a recording: expected {FORMAT_FILE} or an empty directory, found {', '.join(files[:5])}"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_json(marker, FORMAT)


class _lock:
    """Holds a data directory for one recording. Workers inherit the lock, so it outlives a parent that was killed."""

    def __init__(self, out: Path):
        self._path = out / LOCK_FILE

    def __enter__(self) -> int:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self._file
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(self._file)
                    raise RecordingError(
                        f"another recording is writing to {self._path.parent}: wait for it, or choose another directory"
                    ) from None
                time.sleep(0.2)

    def __exit__(self, *exception) -> None:
        os.close(self._file)


class _Recording:
    """One run of `record`."""

    def __init__(self, tasks: tuple[Task, ...], out: Path, config: RecordingConfig, workers: int, progress):
        self._tasks = tasks
        self._out = out
        self._config = config
        self._workers = workers
        self._progress = progress or (lambda progress: None)
        self._started = time.monotonic()
        self._running: dict[tuple[str, int], dict[str, Any]] = {}  # counts of each chunk so far
        self._fresh_cost = 0.0
        self._done_tasks = 0

    def run(self, lock: int) -> RecordingSummary:
        partial = self._out / PARTIAL
        reused, jobs = [], {}
        for task in self._tasks:
            if self._is_complete(task):
                reused.append(task.name)
            else:
                jobs[task.name] = self._jobs(task)
        self._done_tasks = len(reused)
        for name in reused:
            self._report(name, "reused: recorded before with the same settings")
        todo = []
        for name, chunks in jobs.items():
            for job in chunks:
                if (chunk := _finished_chunk(job)) is None:
                    todo.append(job)
                else:
                    self._count(job, chunk)
        self._total_cost = sum(map(self._cost, todo))
        todo.sort(key=self._cost, reverse=True)
        waiting = {name: {job.chunk for job in todo if job.task == name} for name in jobs}
        for name in [name for name, chunks in waiting.items() if not chunks]:
            self._finish(catalog.get(name), jobs[name])
        if todo:
            partial.mkdir(exist_ok=True)
            with WorkerPool(min(self._workers, len(todo)), logs=partial, keep_open=(lock,)) as pool:
                for job, message in pool.run(todo):
                    if message["type"] == "failed":
                        raise RecordingError(self._explain(job, message))
                    if message["type"] == "attempt":
                        self._count(job, message)
                        self._report(job.task, "")
                        continue
                    self._fresh_cost += self._cost(job)
                    waiting[job.task].discard(job.chunk)
                    if not waiting[job.task]:
                        self._finish(catalog.get(job.task), jobs[job.task])
        self._train_tokenizer()
        shutil.rmtree(partial, ignore_errors=True)
        return self._summary(tuple(jobs), tuple(reused))

    def _settings(self, task: Task) -> dict[str, Any]:
        """Everything that decides a task's data."""
        config = self._config
        episodes = task.episodes if config.episodes is None else config.episodes
        settings = {"task": task.name, "seed": config.seed, "episodes": episodes}
        if task.source is Source.ENVIRONMENT:
            noise = task.noise if config.action_noise else None
            settings |= {
                "bar": task.bar,
                "chunk": min(task.chunk, max(1, -(-episodes // 2))),
                "noise": None if noise is None else dataclasses.asdict(noise),
                "random_episodes": config.random_episodes,
                "attempts_per_episode": config.attempts_per_episode,
                "time_limit": task.time_limit,
            }
        elif task.source is Source.TEXT:
            settings["episodes"] = 0  # all documents, always
        return settings

    def _is_complete(self, task: Task) -> bool:
        path = self._out / task.name / RECORDING_FILE
        if not path.exists():
            if path.parent.exists():
                raise RecordingError(f"{path.parent} is not a whole recording: expected {RECORDING_FILE}; delete it")
            return False
        try:
            found = json.loads(path.read_text())["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingError(f"{path} is damaged ({error}): delete {path.parent} to record it again") from error
        wanted = self._settings(task)
        if found != wanted:
            keys = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
            differences = ", ".join(f"{key}: {found.get(key)} there, {wanted.get(key)} asked for" for key in keys)
            raise RecordingError(
                f"task {task.name!r} was recorded with other settings ({differences}); recordings are never changed: "
                f"choose another directory, or delete {path.parent}"
            )
        return True

    def _jobs(self, task: Task) -> list[Job]:
        settings = self._settings(task)
        fingerprint = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        root = self._out / PARTIAL / task.name
        common = {"task": task.name, "fingerprint": fingerprint, "seed": self._config.seed}
        if task.source is not Source.ENVIRONMENT:
            return [Job(chunk=0, episodes=settings["episodes"], directory=str(root / "chunk-00"), **common)]
        noise, size = settings["noise"], settings["chunk"]
        return [
            Job(
                chunk=index,
                episodes=min(size, settings["episodes"] - first),
                directory=str(root / f"chunk-{index:02d}"),
                attempts=size * self._config.attempts_per_episode + 10,
                random_episodes=self._config.random_episodes if index == 0 else 0,
                bar=task.bar,
                noise=None if noise is None else (noise["low"], noise["high"]),
                noise_share=0.0 if noise is None else noise["share"],
                time_limit=task.time_limit,
                episodes_per_file=self._config.episodes_per_file,
                **common,
            )
            for index, first in enumerate(range(0, settings["episodes"], size))
        ]

    def _finish(self, task: Task, jobs: list[Job]) -> None:
        """Puts a task whose chunks are all there into its place."""
        chunks = [_finished_chunk(job) for job in jobs]
        root = Path(jobs[0].directory).parent
        rejected: dict[str, int] = {}
        for chunk in chunks:
            for reason, count in chunk["rejected"].items():
                rejected[reason] = rejected.get(reason, 0) + count
        record = {
            "kept": sum(chunk["kept"] for chunk in chunks),
            "rejected": sum(rejected.values()),
            "rejected_because": rejected,
            "steps": sum(chunk["steps"] for chunk in chunks),
            "seconds": sum(chunk["seconds"] for chunk in chunks),
            "settings": self._settings(task),
            "origin": task.origin,
            "expert": task.expert,
            "versions": _versions(),
        }
        if task.source is Source.ENVIRONMENT:
            returns = {key: [value for chunk in chunks for value in chunk["returns"][key]] for key in chunks[0]["returns"]}
            try:
                normaliser = Normaliser.from_returns(returns["expert"], returns["random"])
            except ValueError as error:
                raise RecordingError(f"task {task.name!r}: {error}") from error
            record |= {"bar": task.bar, "returns": returns}
            record["texts"] = sorted({text for chunk in chunks for text in chunk["texts"]})
            write_text(root / SPEC_FILE, chunks[0]["spec"])
            freeze_scores(self._out, {task.name: normaliser})
        else:
            record["counts"] = chunks[0]["counts"]
            write_json(root / SPEC_FILE, {"name": task.name, "kind": task.source.value})
        write_json(root / RECORDING_FILE, record)
        root.rename(self._out / task.name)
        self._done_tasks += 1
        self._report(task.name, f"done: {record['kept']} kept, {record['rejected']} rejected")

    def _train_tokenizer(self) -> None:
        """Trains the text model unless there is one. It always learns from the standard library's documentation."""
        path = self._out / documents.TOKENIZER_FILE
        if path.exists():
            return
        self._report("", "training the text model")
        texts = documents.python_documents()
        for recording in sorted(self._out.glob(f"*/{RECORDING_FILE}")):
            found = json.loads(recording.read_text())
            texts += found.get("texts", [])
            if found["settings"]["task"].startswith("vqa."):
                texts += [text for row in documents.easy_vqa_questions("train") for text in row[:2]]
        documents.train_tokenizer(texts, path, pieces=self._config.text_pieces)

    def _explain(self, job: Job, message: dict[str, Any]) -> str:
        if "No space left" in message["message"] or "ENOSPC" in message["message"]:
            return f"disk full while recording {job.task!r} into {self._out}: free some space and run again"
        return f"recording {job.task!r} failed: {message['error']}: {message['message']}"

    def _cost(self, job: Job) -> float:
        return max(3.0, job.episodes * catalog.get(job.task).seconds)

    def _count(self, job: Job, counts: dict[str, Any]) -> None:
        rejected = counts["rejected"]
        rejected = sum(rejected.values()) if isinstance(rejected, dict) else rejected
        share = counts["kept"] / max(1, job.episodes)
        self._running[job.task, job.chunk] = {
            "kept": counts["kept"], "rejected": rejected, "steps": counts["steps"], "cost": share * self._cost(job),
            "fresh": counts.get("type") == "attempt",
        }  # fmt: skip

    def _report(self, task: str, message: str) -> None:
        counts = list(self._running.values())
        elapsed = time.monotonic() - self._started
        fresh = [count for count in counts if count["fresh"]]
        cost = sum(min(count["cost"], self._total_cost) for count in fresh) if fresh else 0.0
        left = elapsed * (self._total_cost - cost) / cost if cost > 0.02 * self._total_cost > 0 else None
        self._progress(
            Progress(
                task=task,
                message=message,
                tasks_done=self._done_tasks,
                tasks_total=len(self._tasks),
                kept=sum(count["kept"] for count in counts),
                rejected=sum(count["rejected"] for count in counts),
                steps=sum(count["steps"] for count in counts),
                steps_per_second=sum(count["steps"] for count in fresh) / max(elapsed, 1e-9),
                seconds_left=None if left is None else max(0.0, left),
            )
        )

    def _summary(self, recorded: tuple[str, ...], reused: tuple[str, ...]) -> RecordingSummary:
        records = {name: json.loads((self._out / name / RECORDING_FILE).read_text()) for name in recorded}
        return RecordingSummary(
            recorded=recorded,
            reused=reused,
            kept=sum(record["kept"] for record in records.values()),
            rejected=sum(record["rejected"] for record in records.values()),
            steps=sum(record["steps"] for record in records.values()),
            seconds=time.monotonic() - self._started,
            task_seconds={name: record["seconds"] for name, record in records.items()},
        )


def _finished_chunk(job: Job) -> dict[str, Any] | None:
    """What a chunk holds if it was finished with these settings, else None."""
    path = Path(job.directory) / CHUNK_FILE
    if not path.exists():
        return None
    chunk = json.loads(path.read_text())
    return chunk if chunk["fingerprint"] == job.fingerprint else None


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
