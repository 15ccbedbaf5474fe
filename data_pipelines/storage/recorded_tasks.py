"""What a data directory contains: tasks, their TFDS directories, files, and whether these are whole. No TensorFlow."""

import dataclasses
import difflib
import hashlib
import itertools
import pathlib
import struct
from collections.abc import Sequence
from typing import Any

from data_pipelines.read_json import read_json
from data_pipelines.spec import TaskSpec, World

RECORDING = "recording.json"
SPEC = "spec.json"
HEADER, FOOTER = 12, 4
"""TFRecord framing: length (8 bytes) and its checksum (4), the payload, and its checksum (4)."""


class DataError(ValueError):
    """The data directory is not what the experiment needs. The message names the path, the expected and the found."""


ENTRIES = 64
"""Places of a file from which it may be read, at most."""


@dataclasses.dataclass(frozen=True)
class Framing:
    """How the records of a TFRecord file lie in it.

    Args:
      size: of the file, in bytes.
      contents: digest of the records' own checksums, so of what they hold.
      entries: byte offset of every `every`-th record.
      every: records from one entry to the next.
    """

    size: int
    contents: str
    entries: tuple[int, ...]
    every: int


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file of a split."""

    path: pathlib.Path
    records: int
    framing: Framing

    @property
    def size(self) -> int:
        return self.framing.size


@dataclasses.dataclass(frozen=True)
class RecordedTask:
    """One task of a data directory.

    Args:
      name: the task's name.
      kind: "control", "text", "vqa", "captions" or "documents".
      spec: observations and action of a control task, else None.
      directories: its TFDS directories.
      shards: files of each split, in a fixed order.
      image_patches: patches of its smallest and of its largest picture, where its import counted them, else None.
    """

    name: str
    kind: str
    spec: TaskSpec | None
    directories: tuple[pathlib.Path, ...]
    shards: dict[str, tuple[Shard, ...]]
    image_patches: tuple[int, int] | None = None

    def examples(self, split: str) -> int:
        return sum(shard.records for shard in self.shards.get(split, ()))

    def first_ids(self) -> dict[str, int]:
        """Per file, the number of its first example: all examples are numbered, splits by name, files in order."""
        files = [shard for split in sorted(self.shards) for shard in self.shards[split]]
        starts = itertools.accumulate((shard.records for shard in files), initial=0)
        return {str(shard.path): start for shard, start in zip(files, starts, strict=False)}

    def example_name(self, number: int) -> str:
        """File and record of an example. Its number is the same for every shard, shuffle and host."""
        path, record = self.find_example(number)
        return f"{path.parent.name}/{path.name} record {record}"

    def find_example(self, number: int) -> tuple[pathlib.Path, int]:
        """File and record of an example, both by its number."""
        path, start = max(((p, s) for p, s in self.first_ids().items() if s <= number), key=lambda pair: pair[1])
        return pathlib.Path(path), number - start


def recorded_tasks(directory: str | pathlib.Path) -> list[str]:
    """Names of the tasks that are completely recorded in a data directory. Raises `DataError` when it is missing."""
    root = pathlib.Path(directory)
    if root.exists() and not root.is_dir():
        raise DataError(f"data.directory: expected a directory, found the file {str(root)!r}")
    if not root.is_dir():
        raise DataError(f"data.directory: no directory {str(root)!r}; record one with `gato record`")
    return sorted(path.parent.name for path in root.glob(f"*/{RECORDING}"))


def check_recorded(directory: str | pathlib.Path, names: Sequence[str]) -> None:
    """Raises `DataError` for tasks that are not completely recorded in a data directory; reads no task."""
    recorded = recorded_tasks(directory)
    if missing := sorted(set(names) - set(recorded)):
        raise DataError(f"tasks {missing} are not recorded in {str(directory)!r}; recorded there: {recorded}")


def language_tasks(directory: str | pathlib.Path, names: Sequence[str]) -> list[str]:
    """Those of the named tasks that are recorded or imported and hold text, or pictures with text (spec.json says)."""
    language = []
    for name in names:
        path = pathlib.Path(directory) / name / SPEC
        if path.is_file() and _read(name, path, "the description of a task").get("kind", "control") != "control":
            language.append(name)
    return language


def read_spec(directory: str | pathlib.Path, name: str) -> TaskSpec | None:
    """The spec of a control task; None where there is no such task. Raises `DataError` for a damaged file."""
    path = pathlib.Path(directory) / name / SPEC
    if not path.is_file():
        return None
    description = _read(name, path, "the description of a task")
    return _spec(name, path, description) if description.get("kind", "control") == "control" else None


def recorded_worlds(directory: str | pathlib.Path, names: Sequence[str]) -> dict[str, World]:
    """Where those of the named tasks are played that come from outside this package."""
    specs = {name: read_spec(directory, name) for name in names}
    return {name: spec.world for name, spec in specs.items() if spec is not None and spec.world is not None}


def read_task(directory: str | pathlib.Path, name: str) -> RecordedTask:
    """Description of one recorded task. Raises `DataError` naming what is missing, foreign or damaged."""
    root, path = pathlib.Path(directory), pathlib.Path(directory) / name
    recorded = recorded_tasks(root)
    if not recorded and not path.is_dir():
        contents = ", ".join(sorted(entry.name for entry in root.iterdir())[:5]) or "nothing"
        raise DataError(
            f"{root}: expected a data directory as `gato record` and the imports write it, found {contents}"
        )
    if name not in recorded:
        near = difflib.get_close_matches(name, recorded, n=3) or recorded
        state = "is not completely recorded (no recording.json)" if path.is_dir() else "is not recorded"
        raise DataError(f"task {name!r} {state} in {str(root)!r}; nearest recorded tasks: {near}")
    description = _read(name, path / SPEC, "the description of a task")
    try:
        kind, patches = description.get("kind", "control"), description.get("image_patches")
        image_patches = None if patches is None else (int(patches[0]), int(patches[1]))
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(name, path / SPEC, error) from error
    spec = _spec(name, path / SPEC, description) if kind == "control" else None
    directories = tuple(sorted(info.parent for info in path.rglob("dataset_info.json")))
    if not directories:
        raise DataError(f"task {name!r}: expected TFDS directories (with dataset_info.json) in {path}, found none")
    shards: dict[str, list[Shard]] = {}
    for tfds_directory in directories:
        for split, files in _read_shards(name, tfds_directory).items():
            shards.setdefault(split, []).extend(files)
    if not any(shards.values()):
        raise DataError(f"task {name!r}: expected at least one recorded file in {path}, found none")
    whole = {split: tuple(files) for split, files in shards.items()}
    return RecordedTask(name, kind, spec, directories, whole, image_patches)


def _spec(name: str, path: pathlib.Path, description: dict[str, Any]) -> TaskSpec:
    try:
        return TaskSpec.from_dict(description)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(name, path, error) from error


def _damaged(name: str, path: pathlib.Path, error: Exception) -> DataError:
    return DataError(
        f"task {name!r}: {path}: expected the description of a task, found {type(error).__name__}: {error}"
    )


def _read(task: str, path: pathlib.Path, what: str) -> dict[str, Any]:
    """A JSON file of a task. Raises `DataError` naming task and file."""
    try:
        return read_json(path, what)
    except (OSError, ValueError) as error:
        raise DataError(f"task {task!r}: {error}") from error


def _read_shards(task: str, directory: pathlib.Path) -> dict[str, list[Shard]]:
    info = _read(task, directory / "dataset_info.json", "a TFDS description")
    try:
        file_format, name, splits = info.get("fileFormat", "tfrecord"), info["name"], info.get("splits", [])
        lengths = {split["name"]: [int(n) for n in split.get("shardLengths", [])] for split in splits}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"task {task!r}: {directory / 'dataset_info.json'} is no TFDS description: {error!r}"
        ) from error
    if file_format != "tfrecord":
        raise DataError(f"task {task!r}: {directory} has format {file_format!r}, expected 'tfrecord'")
    shards = {}
    for split, records in lengths.items():
        paths = sorted(directory.glob(f"{name}-{split}.tfrecord-*"))
        if len(paths) != len(records):
            file_names = [path.name for path in paths]
            raise DataError(
                f"task {task!r}: {directory} declares {len(records)} files of split {split!r}, found {file_names}"
            )
        shards[split] = [
            Shard(path, count, check_tfrecord(path, count)) for path, count in zip(paths, records, strict=True) if count
        ]
    return shards


def check_tfrecord(path: pathlib.Path, records: int) -> Framing:
    """Framing of a TFRecord file that is whole. Only lengths and checksums are read, not the records.

    Raises:
      DataError: the file is empty, ends inside a record, or holds another number of records.
    """
    size, every = path.stat().st_size, max(1, -(-records // ENTRIES))
    if not size:
        raise DataError(f"{path}: expected {records} records, found an empty file")
    count, offset, entries, contents = 0, 0, [], hashlib.sha256()
    with path.open("rb") as file:
        header = file.read(HEADER)
        while offset < size:
            end = offset + HEADER + FOOTER + struct.unpack("<Q", header[:8])[0] if len(header) == HEADER else size + 1
            if end > size:
                raise DataError(f"{path}: truncated inside record {count} of {records}, at byte {offset} of {size}")
            if count % every == 0:
                entries.append(offset)
            file.seek(end - FOOTER)
            between = file.read(FOOTER + HEADER)  # The end of this record and the head of the next.
            contents.update(between[:FOOTER])
            count, offset, header = count + 1, end, between[FOOTER:]
    if count != records:
        raise DataError(f"{path}: expected {records} records, found {count}")
    return Framing(size, contents.hexdigest()[:16], tuple(entries), every)


def corrupt_files(shards: Sequence[Shard]) -> list[str]:
    """Files in which a record does not match its checksum; reads everything, for use after a reading error."""
    import google_crc32c  # Needed only to explain an error.

    damaged = []
    for shard in shards:
        data, offset = shard.path.read_bytes(), 0
        while offset + HEADER <= len(data):
            (length,) = struct.unpack_from("<Q", data, offset)
            body = offset + HEADER
            parts = [(data[offset : offset + 8], offset + 8), (data[body : body + length], body + length)]
            offset = body + length + FOOTER
            if offset > len(data) or any(
                _mask(google_crc32c.value(part)) != struct.unpack_from("<I", data, at)[0] for part, at in parts
            ):
                damaged.append(str(shard.path))
                break
    return damaged


def _mask(checksum: int) -> int:
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
