"""A directory that commands fill: whose it is, who writes to it, and what a whole task of it looks like."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_sorted_json
from data_pipelines.read_json import DamagedFile, read_json

FORMAT = {"format": "gato-jax recording", "version": 1}
FORMAT_FILE = "format.json"
RECORDING_FILE = "recording.json"
SPEC_FILE = "spec.json"
PARTIAL = ".partial"
"""Holds tasks whose recording has not ended."""

IMPORTING = ".importing"
"""Holds tasks whose import has not ended."""

_LOCK_FILE = ".lock"


class RecordingError(RuntimeError):
    """A directory cannot be written to; the message says what to do."""


def claim(
    out: Path, form: Mapping[str, Any] = FORMAT, *, unmarked: Callable[[Path], bool] = lambda entry: False
) -> None:
    """Makes `out` a data directory (or one of another form), or checks that it is one.

    Args:
      out: new, empty, or of this form.
      form: {"format", "version"}, as its marker holds them.
      unmarked: whether an entry is what an earlier version wrote, which set no marker.

    Raises:
      RecordingError: `out` holds something else, or is a file.
    """
    marker = out / FORMAT_FILE
    if marker.exists():
        try:
            stored_form = read_json(marker, f"{form}")
        except DamagedFile as error:
            raise RecordingError(f"{error}; choose another directory") from error
        if stored_form != form:
            raise RecordingError(f"{marker}: expected {form}, found {stored_form}; choose another directory")
        return
    if out.exists() and not out.is_dir():
        raise RecordingError(f"{out}: expected a directory, found a file")
    if out.is_dir() and (
        files := sorted(path.name for path in out.iterdir() if path.name != _LOCK_FILE and not unmarked(path))
    ):
        raise RecordingError(
            f"{out} is no {form['format']}: expected {FORMAT_FILE} or an empty directory, found "
            f"{', '.join(files[:5])}; choose another directory"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_sorted_json(marker, form)


@contextlib.contextmanager
def lock(out: Path, *, patience: float = 10.0, who: str = "recording") -> Iterator[int]:
    """Holds the directory for one command, and yields the file descriptor that stands for it.

    Workers inherit the descriptor, so the directory stays locked until the last worker of a parent that was killed has
    gone too; that takes a moment, hence the patience.

    Args:
      out: data directory.
      patience: seconds to wait for another one to end.
      who: what writes there, for the message.

    Raises:
      RecordingError: another one writes there still.
    """
    file = os.open(out / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RecordingError(
                        f"another {who} is writing to {out}: wait for it, or choose another directory"
                    ) from None
                time.sleep(0.2)
        yield file
    finally:
        os.close(file)


def recorded_task(out: Path, task: str) -> dict[str, Any] | None:
    """What a task was recorded with, `settings` and all; None where it is not there.

    Raises:
      RecordingError: what is there is no whole recording, or damaged.
    """
    path = out / task / RECORDING_FILE
    if not path.exists():
        if path.parent.exists():
            raise RecordingError(f"{path.parent} is not a whole recording: expected {RECORDING_FILE}; delete it")
        return None
    try:
        remedy = f"delete {path.parent} to record it again"
        return read_json(path, "what a task was recorded with", keys={"settings": dict}, remedy=remedy)
    except DamagedFile as error:
        raise RecordingError(str(error)) from error


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """In which settings two recordings differ, for a message; "" where they are equal."""
    keys = sorted(key for key in there.keys() | wanted.keys() if there.get(key) != wanted.get(key))
    return ", ".join(f"{key}: {there.get(key)} there, {wanted.get(key)} asked for" for key in keys)


def is_complete(out: Path, task: str, settings: Mapping[str, Any]) -> bool:
    """Whether a task has been recorded with these settings.

    Raises:
      RecordingError: it was recorded with others, or what is there is damaged.
    """
    recorded = recorded_task(out, task)
    if recorded is None:
        return False
    if differing := differences(recorded["settings"], settings):
        raise RecordingError(
            f"task {task!r} was recorded with other settings ({differing}); recordings are never changed: choose "
            f"another directory, or delete {out / task}"
        )
    return True
