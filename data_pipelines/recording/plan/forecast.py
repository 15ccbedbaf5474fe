"""What a recording is going to take: seconds of its workers, minutes on the clock, bytes on the disk.

Measured costs stand behind it (`suites.costs`); where a task was never measured, its suite's rough seconds do.
"""

import dataclasses
import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from data_pipelines.recording.job import Job
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source
from data_pipelines.suites.costs import Cost, cost_of
from data_pipelines.words import counted, duration, size

WORKER_STARTS = 6.0
"""Seconds until a worker has imported what it needs."""
_LEAST = 2.0  # seconds of a part that was never measured: to load its simulator and to close its files
_PART_BYTES, _TASK_BYTES = 22_000, 12_000  # descriptions and folders, on a disk with blocks of 4 KiB


def job_seconds(job: Job) -> float:
    """Seconds that a part takes one worker."""
    cost = cost_of(job.task)
    if job.outside or cost is None:
        return _rough_seconds(job)
    if catalog.get(job.task).source is not Source.ENVIRONMENT:
        return cost.opening
    share = min(1.0, job.steps / cost.steps) if job.steps and cost.steps else 1.0
    played = job.episodes * _episode_seconds(job, cost) * share
    return cost.opening + played + job.random_episodes * cost.random


def _rough_seconds(job: Job) -> float:
    if job.outside:
        return max(_LEAST, float(job.episodes))
    task = catalog.get(job.task)
    share = job.steps / catalog.suite_of(task.domain).episode_steps if job.steps else 1.0
    return max(_LEAST, job.episodes * share * task.seconds)


def _episode_seconds(job: Job, cost: Cost) -> float:
    """Seconds until an episode is kept and written."""
    if job.uniform:
        return cost.random + cost.writing
    if job.noise_swap:
        return cost.attempt + cost.writing  # Every attempt is kept.
    own = catalog.get(job.task).bar
    accepted = cost.kept if job.steps or job.bar == own else cost.kept * cost.reached(job.bar) / cost.reached(own)
    return cost.attempt / accepted + cost.writing


def job_bytes(job: Job) -> float | None:
    """Bytes that a part takes on the disk; None where nothing is known."""
    cost = None if job.outside else cost_of(job.task)
    if cost is None or not cost.bytes:
        return None
    share = min(1.0, job.steps / cost.steps) if job.steps and cost.steps else 1.0
    descriptions = _PART_BYTES + _TASK_BYTES * (job.chunk == 0)
    return descriptions + cost.bytes * share * max(1, job.episodes)


def wall_seconds(seconds: Iterable[float], workers: int) -> float:
    """Seconds until all parts are recorded: the longest first, each by the worker that is free."""
    busy = [WORKER_STARTS] * workers
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(busy, busy[0] + each)
    return max(busy)


@dataclasses.dataclass(frozen=True)
class TaskForecast:
    """What one task takes.

    Args:
      episodes: to keep, held-out ones and beginnings included.
      seconds: of a worker.
      bytes: on the disk; None where nothing is known.
      measured: whether the task was measured.
    """

    episodes: int
    seconds: float
    bytes: float | None
    measured: bool


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What a recording takes.

    Args:
      tasks: those that are left to record, by name.
      workers: at the same time.
      seconds: on the clock.
      share: of every task's number of episodes, as a budget of minutes left it.
    """

    tasks: Mapping[str, TaskForecast]
    workers: int
    seconds: float
    share: float = 1.0

    @property
    def bytes(self) -> float:
        """On the disk, of the tasks of which it is known."""
        return sum(task.bytes or 0.0 for task in self.tasks.values())

    @property
    def unknown(self) -> tuple[str, ...]:
        """Tasks that were never measured."""
        return tuple(name for name, task in self.tasks.items() if not task.measured)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {"bytes": self.bytes}

    def line(self) -> str:
        """All of it in a line."""
        episodes = sum(task.episodes for task in self.tasks.values())
        parts = [
            f"to record: {counted(len(self.tasks), 'task')}, {counted(episodes, 'episode')}",
            f"about {duration(self.seconds)} on {counted(self.workers, 'idle core')}",
        ]
        unknown = sum(task.bytes is None for task in self.tasks.values())
        if unknown < len(self.tasks):
            parts.append(f"about {size(self.bytes)}" + f" and what {counted(unknown, 'task')} take" * bool(unknown))
        if self.share != 1:
            parts.append(f"{self.share:.1%} of each task's own number of episodes")
        if self.unknown:
            parts.append(f"never measured, so guessed (?): {len(self.unknown)}")
        return "; ".join(parts)

    def table(self) -> Any:
        """For a terminal, as a `rich` table; the dearest tasks first. `line` says what all take together."""
        from rich.table import Table

        table = Table()
        table.add_column("task", no_wrap=True)
        for column in ("episodes", "worker time", "disk"):
            table.add_column(column, justify="right")
        for name, task in sorted(self.tasks.items(), key=lambda item: (-item[1].seconds, item[0])):
            about = "" if task.measured else "? "
            disk = "?" if task.bytes is None else f"{about}{size(task.bytes)}"
            table.add_row(name, f"{task.episodes:,}", f"{about}{duration(task.seconds)}", disk)
        return table


def foretell(jobs: Mapping[str, Sequence[Job]], workers: int, share: float = 1.0) -> Forecast:
    """What the parts of tasks take."""
    tasks = {name: _task(parts) for name, parts in jobs.items() if parts}
    seconds = wall_seconds((job_seconds(job) for parts in jobs.values() for job in parts), workers) if tasks else 0.0
    return Forecast(tasks, workers, seconds, share)


def _task(jobs: Sequence[Job]) -> TaskForecast:
    sizes = [job_bytes(job) for job in jobs]
    known = [each for each in sizes if each is not None]
    return TaskForecast(
        episodes=sum(job.episodes for job in jobs),
        seconds=sum(map(job_seconds, jobs)),
        bytes=sum(known) if len(known) == len(sizes) else None,
        measured=not jobs[0].outside and (cost := cost_of(jobs[0].task)) is not None and cost.measured,
    )
