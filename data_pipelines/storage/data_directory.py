"""The data directory: whose it is, who writes to it, and what a whole task looks like."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_sorted_json

FORMAT = {"format": "gato-jax recording", "version": 1}
FORMAT_FILE = "format.json"
RECORDING_FILE = "recording.json"
SPEC_FILE = "spec.json"
PARTIAL = ".partial"
"""Holds tasks that are not whole yet."""

_LOCK_FILE = ".lock"


class RecordingError(RuntimeError):
    """A recording cannot go on; the message says what to do."""


def claim(out: Path) -> None:
    """Makes `out` a data directory, or checks that it is one.

    Raises:
      RecordingError: `out` holds something else.
    """
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
    write_sorted_json(marker, FORMAT)


@contextlib.contextmanager
def lock(out: Path, *, patience: float = 10.0) -> Iterator[int]:
    """Holds the directory for one recording, and yields the file descriptor that stands for it.

    Workers inherit the descriptor, so the directory stays locked until the last worker of a parent that was killed has
    gone too; that takes a moment, hence the patience.

    Args:
      out: data directory.
      patience: seconds to wait for another recording to end.
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
                        f"another recording is writing to {out}: wait for it, or choose another directory"
                    ) from None
                time.sleep(0.2)
        yield file
    finally:
        os.close(file)


def is_complete(out: Path, task: str, settings: Mapping[str, Any]) -> bool:
    """Whether a task has been recorded with these settings.

    Raises:
      RecordingError: it was recorded with others, or what is there is damaged.
    """
    path = out / task / RECORDING_FILE
    if not path.exists():
        if path.parent.exists():
            raise RecordingError(f"{path.parent} is not a whole recording: expected {RECORDING_FILE}; delete it")
        return False
    try:
        found = json.loads(path.read_text())["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(
            f"{path} is damaged ({type(error).__name__}: {error}): delete {path.parent} to record it again"
        ) from error
    if found != settings:
        keys = sorted(key for key in found.keys() | settings.keys() if found.get(key) != settings.get(key))
        differences = ", ".join(f"{key}: {found.get(key)} there, {settings.get(key)} asked for" for key in keys)
        raise RecordingError(
            f"task {task!r} was recorded with other settings ({differences}); recordings are never changed: choose "
            f"another directory, or delete {path.parent}"
        )
    return True
