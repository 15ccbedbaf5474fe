"""A task on its way into a data directory: in chunks, whole or not there, continued after an interrupt.

Chunks are written under `.importing`, each with what decides it; a task whose chunks are all there moves to its place
in one rename. What the source's files held lies under `.sources`, beside the tasks, whose own files never change.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_sorted_json
from data_pipelines.importing.common.errors import ImportingError
from data_pipelines.importing.common.source_files import SourceStamp
from data_pipelines.recording.progress import ConsoleProgress
from data_pipelines.recording.worker import CHUNK_FILE
from data_pipelines.storage import data_directory

SOURCES = ".sources"
"""Holds a file for each whole task: the digests of the files that it was imported from."""

_CONTENTS = "source.json"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class UnfinishedTask:
    """The folder of a task that is not whole yet.

    Args:
      data: data directory.
      name: the task's name.
      description: what decides the data, as JSON; chunks of an earlier run with another one are of no use. Where
        "source" is a `SourceStamp`, neither are those of other contents.
    """

    data: Path
    name: str
    description: Mapping[str, Any]

    @property
    def root(self) -> Path:
        """The folder."""
        return self.data / data_directory.IMPORTING / self.name

    @property
    def place(self) -> Path:
        """Where it stands when it is whole."""
        return self.data / self.name

    @functools.cached_property
    def fingerprint(self) -> str:
        """Stands for the description in every chunk."""
        return hashlib.sha256(json.dumps(self.description, sort_keys=True).encode()).hexdigest()

    @property
    def record(self) -> Path:
        """What the source held when the task was imported; absent where an earlier version imported it."""
        return self.data / SOURCES / f"{self.name}.json"

    @functools.cached_property
    def contents(self) -> dict[str, str]:
        """Name of each file of the source -> digest of what it holds now; empty where only facts are known."""
        source = self.description.get("source")
        return source.contents() if isinstance(source, SourceStamp) else {}

    def begin(self) -> None:
        """Removes what an earlier run made of other contents, and writes down those of this one."""
        path = self.root / _CONTENTS
        if path.exists() and json.loads(path.read_text()) != self.contents:
            shutil.rmtree(self.root)
        if self.contents:
            write_sorted_json(path, self.contents)

    def check_contents(self) -> None:
        """Refuses a source that holds something else than when the task was imported.

        An import by a version that wrote down no digests is compared by its facts alone, which is said. Where every
        file was last changed before the import ended, its digests are those of now, and are written down.

        Raises:
          RecordingError: naming the files.
        """
        if not self.contents:
            return
        if self.record.exists():
            before = json.loads(self.record.read_text())
            names = self.contents.keys() | before.keys()
            changed = sorted(name for name in names if self.contents.get(name) != before.get(name))
            if changed:
                raise data_directory.RecordingError(
                    f"task {self.name!r} was imported from other contents of {', '.join(changed[:8])}"
                    f"{' ...' if len(changed) > 8 else ''} ({len(changed)} of {len(names)} files); "
                    f"recordings are never changed: choose another name, or delete {self.place}"
                )
        elif self._unchanged_since():
            write_sorted_json(self.record, self.contents)
        else:
            _log.warning(
                "task %r was imported by a version that compared names and sizes of files, not their contents; if the "
                "source may have changed since, delete %s and import it again", self.name, self.place,
            )  # fmt: skip

    def _unchanged_since(self) -> bool:
        """Whether the file system says that every file of the source was last changed before the import ended."""
        ended = (self.place / data_directory.RECORDING_FILE).stat().st_mtime_ns
        return all(path.stat().st_ctime_ns < ended for path in self.description["source"].files.values())

    def chunk(self, number: int) -> Path:
        """The folder of a chunk."""
        return self.root / f"chunk-{number:05d}"

    def keep(self, number: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Marks a chunk whose files are all there as whole, and returns what is kept of it."""
        record = {**facts, "fingerprint": self.fingerprint}
        write_sorted_json(self.chunk(number) / CHUNK_FILE, record)
        return record

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
        if self.contents:
            self.record.parent.mkdir(exist_ok=True)
            (self.root / _CONTENTS).replace(self.record)
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
      RecordingError: the data directory is of another kind, busy, or holds the task with another description, or from
        other contents of its source.
      ImportingError: the disk is full.
    """
    console = ConsoleProgress()
    try:
        data_directory.claim(task.data)
        with data_directory.lock(task.data):
            reused = data_directory.is_complete(task.data, task.name, task.description)
            if reused:
                task.check_contents()
            else:
                task.begin()
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
