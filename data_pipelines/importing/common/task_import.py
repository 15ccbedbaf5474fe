"""A task on its way into a data directory: in chunks, whole or not there, continued after an interrupt.

Chunks are written under `.importing`, each with what decides it; a task whose chunks are all there moves to its place
in one rename.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_sorted_json
from data_pipelines.importing.common.errors import ImportingError
from data_pipelines.recording.progress import ConsoleProgress
from data_pipelines.recording.worker import CHUNK_FILE
from data_pipelines.storage import data_directory

IMPORTING = ".importing"
"""Holds tasks that are not whole yet."""


@dataclasses.dataclass(frozen=True)
class UnfinishedTask:
    """The folder of a task that is not whole yet.

    Args:
      data: data directory.
      name: the task's name.
      description: what decides the data, as JSON; chunks of an earlier run with another one are of no use.
    """

    data: Path
    name: str
    description: Mapping[str, Any]

    @property
    def root(self) -> Path:
        """The folder."""
        return self.data / IMPORTING / self.name

    @property
    def place(self) -> Path:
        """Where it stands when it is whole."""
        return self.data / self.name

    @functools.cached_property
    def fingerprint(self) -> str:
        """Stands for the description in every chunk."""
        return hashlib.sha256(json.dumps(self.description, sort_keys=True).encode()).hexdigest()

    def chunk(self, number: int) -> Path:
        """The folder of a chunk."""
        return self.root / f"chunk-{number:05d}"

    def keep(self, number: int, found: Mapping[str, Any]) -> dict[str, Any]:
        """Marks a chunk whose files are all there as whole, and returns what is kept of it."""
        kept = {**found, "fingerprint": self.fingerprint}
        write_sorted_json(self.chunk(number) / CHUNK_FILE, kept)
        return kept

    def finished(self) -> list[dict[str, Any]]:
        """The whole chunks of an earlier run with this description; everything else of it is removed."""
        chunks: list[dict[str, Any]] = []
        for directory in sorted(self.root.glob("chunk-*")):
            path = directory / CHUNK_FILE
            chunk = json.loads(path.read_text()) if path.exists() else {}
            if chunk.get("fingerprint") != self.fingerprint or directory != self.chunk(len(chunks)):
                shutil.rmtree(directory)
            else:
                chunks.append(chunk)
        return chunks

    def finish(self, chunks: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> None:
        """Moves the task to its place; its spec is written already.

        Args:
          chunks: as `keep` returned them. One of which nothing could be used has no files to read, and goes.
          record: what `recording.json` holds besides the description.
        """
        for number, chunk in enumerate(chunks):
            if not sum(chunk["counts"].values()):
                shutil.rmtree(self.chunk(number), ignore_errors=True)
        whole = {**record, "settings": dict(self.description), "origin": "imported", "expert": ""}
        write_sorted_json(self.root / data_directory.RECORDING_FILE, whole)
        self.root.rename(self.place)
        with contextlib.suppress(OSError):  # Another task may be waiting there to be continued.
            self.root.parent.rmdir()


def import_once(
    task: UnfinishedTask, run: Callable[[Callable[[Any], None]], None], progress: Callable[[Any], None] | None
) -> bool:
    """Imports a task unless an equal import of it is there already, and returns whether it was.

    Args:
      task: what is imported. Its data directory is claimed, and locked while this runs.
      run: imports it; gets where to report to.
      progress: where to report to; None is the console.

    Raises:
      RecordingError: the data directory is of another kind, busy, or holds the task with another description.
      ImportingError: the disk is full.
    """
    console = ConsoleProgress()
    try:
        data_directory.claim(task.data)
        with data_directory.lock(task.data):
            reused = data_directory.is_complete(task.data, task.name, task.description)
            if not reused:
                run(progress or console)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ImportingError(
                f"disk full while importing into {task.data}: free some space and run again"
            ) from error
        raise
    finally:
        console.close()
    return reused
