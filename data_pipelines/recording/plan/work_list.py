"""What is left to record into a data directory, and what is there already."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.job import Job
from data_pipelines.recording.plan.forecast import Forecast, foretell
from data_pipelines.recording.plan.jobs import jobs_of
from data_pipelines.recording.whole_task import finished_otherwise, finished_part, versions
from data_pipelines.storage.data_directory import PARTIAL, RecordingError, differences, recorded_task
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Task

_NUMBERS = ("episodes", "chunk", "starts", "validation")
"""Settings that say how many episodes there are, and in which parts."""


@dataclasses.dataclass(frozen=True)
class WorkList:
    """Parts of tasks, those that are finished and those that are not.

    Args:
      tasks: all that were asked for.
      settings: of each.
      jobs: all parts of the tasks that are not whole yet.
      fresh: those parts of them that are left, by task and number.
      finished: the others, with what they hold.
      reused: tasks that are whole, with what is to be said of them.
      remade: tasks that are there with other settings, or of which parts are, and are recorded again; the same.
      forecast: of what is left.
    """

    tasks: Mapping[str, Task]
    settings: Mapping[str, dict[str, Any]]
    jobs: Mapping[str, Sequence[Job]]
    fresh: Mapping[tuple[str, int], Job]
    finished: Sequence[tuple[Job, dict[str, Any]]]
    reused: Mapping[str, str]
    remade: Mapping[str, str]
    forecast: Forecast


def work_list(
    tasks: Sequence[Task], out: Path, config: RecordingConfig, *, workers: int, any_number: bool, again: bool
) -> WorkList:
    """Looks at what lies in a data directory; writes nothing.

    Args:
      tasks: asked for.
      out: data directory; need not exist.
      config: of the recording.
      workers: at the same time.
      any_number: whether tasks are reused whose settings differ only in how many episodes they ask for.
      again: whether tasks that are there with other settings are recorded again, rather than refused.

    Raises:
      RecordingError: a task is there with other settings, or is damaged; the message has all of them.
    """
    settings = {task.name: config.task_settings(task) for task in tasks}
    reused: dict[str, str] = {}
    remade: dict[str, str] = {}
    refused: dict[str, str] = {}
    for task in tasks:
        recorded = recorded_task(out, task.name)
        if recorded is None:
            continue
        wanted, there = settings[task.name], recorded["settings"]
        differing = differences(there, wanted)
        if not differing:
            reused[task.name] = "reused: recorded before with the same settings" + _by_others(task, recorded)
        elif any_number and _same_but_for_numbers(there, wanted):
            reused[task.name] = f"reused: recorded before, with other numbers ({differing})" + _by_others(
                task, recorded
            )
        elif again:
            remade[task.name] = f"is recorded again: it was recorded with other settings ({differing})"
        else:
            refused[task.name] = differing
    if refused:
        raise RecordingError(_refusal(out, refused, len(reused)))
    jobs = {task.name: jobs_of(task, config, out / PARTIAL) for task in tasks if task.name not in reused}
    fresh: dict[tuple[str, int], Job] = {}
    finished = []
    for job in (job for parts in jobs.values() for job in parts):
        if (part := finished_part(job)) is None:
            fresh[job.task, job.chunk] = job
        else:
            finished.append((job, part))
    for name, parts in jobs.items():
        if stale := sum(map(finished_otherwise, parts)):
            remade.setdefault(name, f"{stale} of its parts were recorded with other settings: they are recorded again")
    left = {name: [job for job in parts if (name, job.chunk) in fresh] for name, parts in jobs.items()}
    forecast = foretell(left, workers, config.share)
    return WorkList({task.name: task for task in tasks}, settings, jobs, fresh, finished, reused, remade, forecast)


def _same_but_for_numbers(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether both ask for the same data, more or less of it, and for held-out episodes or none."""
    if bool(there.get("validation")) != bool(wanted.get("validation")):
        return False
    return not differences(*({key: of[key] for key in of if key not in _NUMBERS} for of in (there, wanted)))


def _by_others(task: Task, recorded: Mapping[str, Any]) -> str:
    """What is said of a task that other versions of its simulator recorded."""
    if task.outside:
        return ""
    then, now = recorded.get("versions", {}), versions()
    others = [name for name in catalog.suite_of(task.domain).packages if then.get(name, now[name]) != now[name]]
    return f", by {', '.join(f'{name} {then[name]} ({now[name]} is here)' for name in others)}" if others else ""


def _refusal(out: Path, refused: Mapping[str, str], reused: int) -> str:
    if len(refused) == 1:
        ((name, differing),) = refused.items()
        return (
            f"task {name!r} was recorded with other settings ({differing}); recordings are never changed: choose "
            f"another directory, delete {out / name}, or record it again in its place (--again)"
        )
    lines = "".join(f"\n  {name}: {differing}" for name, differing in refused.items())
    return (
        f"{len(refused)} tasks in {out} were recorded with other settings, and {reused} with the same; recordings are "
        f"never changed: choose another directory, delete these, or record them again in their place (--again):{lines}"
    )
