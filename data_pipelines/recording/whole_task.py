"""A task whose parts are all recorded: described, scored, and moved to its place."""

import collections
import importlib.metadata
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_sorted_json, write_text
from data_pipelines.read_json import read_json
from data_pipelines.recording.job import Job
from data_pipelines.recording.rlds.envlogger_absent import why_absent
from data_pipelines.recording.worker import CHUNK_FILE
from data_pipelines.scores import Normaliser, freeze_scores
from data_pipelines.storage.data_directory import RECORDING_FILE, SPEC_FILE, RecordingError
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.outside.experts import RANDOM
from data_pipelines.suites.outside.versions import package_versions

_PACKAGES = ("envlogger", "numpy", "tensorflow")


def finished_part(job: Job) -> dict[str, Any] | None:
    """What a part holds if it was finished with these settings, else None."""
    chunk = _read_part(job)
    return chunk if chunk is not None and chunk["fingerprint"] == job.fingerprint else None


def finished_otherwise(job: Job) -> bool:
    """Whether a part was finished with other settings: it is of no use now."""
    chunk = _read_part(job)
    return chunk is not None and chunk["fingerprint"] != job.fingerprint


def _read_part(job: Job) -> dict[str, Any] | None:
    path = Path(job.directory) / CHUNK_FILE
    if not path.exists():
        return None
    return read_json(
        path, "a finished part of a recording", keys=("fingerprint",), remedy="delete it and run the same command again"
    )


def finish(
    out: Path, task: Task, jobs: Sequence[Job], settings: Mapping[str, Any], say: Callable[[str, str], None]
) -> dict[str, Any]:
    """Puts a task whose parts are all there into its place, from where one of other settings goes.

    Args:
      out: data directory.
      task: of the parts.
      jobs: all its parts.
      settings: that decided its data.
      say: called with the task's name and news of it.

    Returns:
      What `recording.json` holds now.

    Raises:
      RecordingError: its returns give no score.
    """
    root = Path(jobs[0].directory).parent
    chunks = [finished_part(job) or {} for job in jobs]
    rejected = _summed(chunk["rejected"] for chunk in chunks)
    record = {
        "kept": sum(chunk["kept"] for chunk in chunks),
        "rejected": sum(rejected.values()),
        "rejected_because": rejected,
        "steps": sum(chunk["steps"] for chunk in chunks),
        "seconds": sum(chunk["seconds"] for chunk in chunks),
        "settings": settings,
        "origin": task.origin,
        "expert": task.expert,
        "versions": versions(task),
    }
    if task.source is Source.ENVIRONMENT:
        returns: dict[str, list[float]] = {
            key: [value for chunk in chunks for value in chunk["returns"][key]] for key in chunks[0]["returns"]
        }
        record |= {"bar": settings["bar"], "returns": returns}
        if replaced := _summed(chunk.get("replaced", {}) for chunk in chunks):
            record["processes_replaced_because"] = replaced
        record["texts"] = sorted({text for chunk in chunks for text in chunk["texts"]})
        write_text(root / SPEC_FILE, chunks[0]["spec"])
        _freeze_score(out, task, returns, say, random=task.expert == RANDOM or jobs[0].uniform)
    else:
        record["counts"] = chunks[0]["counts"]
        write_sorted_json(root / SPEC_FILE, {"name": task.name, "kind": task.source.value})
    if all("cpu_seconds" in chunk for chunk in chunks):  # An earlier version timed its parts as a whole.
        record |= {"cpu_seconds": sum(chunk["cpu_seconds"] for chunk in chunks), "parts": len(chunks)}
        record["seconds_in"] = _summed(chunk.get("seconds_in", {}) for chunk in chunks)
    write_sorted_json(root / RECORDING_FILE, record)
    _replace(root, out / task.name)
    return record


def _replace(new: Path, place: Path) -> None:
    """Moves a directory to its place; what stood there goes once it has left."""
    old = new.with_name(f".{new.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _freeze_score(
    out: Path, task: Task, returns: Mapping[str, Sequence[float]], say: Callable[[str, str], None], *, random: bool
) -> None:
    if random:
        say(task.name, "has no score entry: the random policy cannot be compared with itself")
        return
    try:
        normaliser = Normaliser.from_returns(returns["expert"], returns["random"])
    except ValueError as error:
        raise RecordingError(f"task {task.name!r}: {error}") from error
    if freeze_scores(out, {task.name: normaliser}):
        say(task.name, "keeps the score entry it had: scores are frozen")


def _summed(counts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    total: collections.Counter[str] = collections.Counter()
    for of_one in counts:
        total.update(of_one)
    return dict(total)


def versions(task: Task | None = None) -> dict[str, str]:
    """Of the packages that make and write data, whichever task was recorded, and of those that hold its own world."""
    there = {}
    for package in (*catalog.packages(catalog.suites()), *_PACKAGES):
        try:
            there[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            there[package] = "not installed"
    if why_absent():
        there["envlogger"] = "cannot be imported"
    return there | (package_versions(task.requires) if task is not None and task.outside else {})
