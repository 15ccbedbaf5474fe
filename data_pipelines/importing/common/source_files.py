"""The files of a source: which they are, what they held when they were read, and whether they are there at all."""

import concurrent.futures
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.importing.common.errors import SourceError

_LFS = b"version https://git-lfs.github.com/spec/"
POINTER = "Git LFS pointer: run `git lfs pull` in its repository"
"""What is said of one."""

_LFS_SIZE = 1024
"""A pointer is smaller than this, by its specification."""

_SPLITS = ("train", "test", "val", "dev")
_READERS = 4


class SourceStamp(dict[str, Any]):
    """What tells a source from another one, as JSON; and the files whose contents tell it from itself after a change.

    The facts stand in a task's `recording.json`. Contents are hashed only where they are needed (`contents`), because
    that reads every file once: a size or a time that is the same proves nothing.

    Args:
      facts: JSON-able, and cheap to find: names, sizes, numbers of episodes.
      files: name -> file.
    """

    def __init__(self, facts: Mapping[str, Any], files: Mapping[str, Path]):
        super().__init__(facts)
        self.files = dict(files)

    def contents(self) -> dict[str, str]:
        """Name of each file -> SHA-256 of its content, several files at a time."""
        with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:  # Hashing leaves Python's lock.
            return dict(zip(self.files, pool.map(_digest, self.files.values()), strict=True))


def file_stamp(root: Path, files: Sequence[Path]) -> SourceStamp:
    """Sizes of files by their path inside `root`; their contents on demand.

    Raises:
      SourceError: a file is a Git LFS pointer.
    """
    refuse_pointers(files)
    paths = named(root, files)
    return SourceStamp({name: path.stat().st_size for name, path in paths.items()}, paths)


def named(root: Path, files: Sequence[Path]) -> dict[str, Path]:
    """Files by their path inside `root`."""
    return {str(path.relative_to(root) if path.is_relative_to(root) else path): path for path in files}


def refuse_pointers(files: Iterable[Path]) -> None:
    """Refuses Git LFS pointers: a clone without its large files has a few lines of text where each of them belongs.

    Raises:
      SourceError: naming the file, and the command that fetches it.
    """
    for path in files:
        if is_pointer(path):
            raise SourceError(f"{path}: {POINTER}")


def is_pointer(file: Path | bytes) -> bool:
    """Whether a file, or its content, is a Git LFS pointer. Only files of a pointer's size are opened."""
    if isinstance(file, bytes):
        return file.startswith(_LFS)
    if not file.is_file() or file.stat().st_size >= _LFS_SIZE:
        return False
    with file.open("rb") as opened:
        return opened.read(len(_LFS)) == _LFS


def parquet_files(source: Path, split: str) -> list[Path]:
    """Files of a split, in order.

    Raises:
      SourceError: there are none; or no name tells a split, and another one than "train" is asked for.
    """
    paths = [source] if source.is_file() else sorted(source.rglob("*.parquet"))
    if not paths:
        raise SourceError(f"{source}: expected .parquet files, found none")
    root = source.parent if source.is_file() else source
    names = {path: str(path.relative_to(root)).lower() for path in paths}
    chosen = [path for path in paths if _tells(names[path], split)]
    if chosen:
        return chosen
    # A file that was named, and names that tell no split at all, hold the whole data set.
    told = any(_tells(name, word) for word in _SPLITS for name in names.values())
    if split == _SPLITS[0] and (source.is_file() or not told):
        return paths
    raise SourceError(f"{source}: no file with split {split!r} in its name, found {sorted(names.values())[:8]}")


def _tells(name: str, split: str) -> bool:
    """Whether a word of a file's name is, or begins with, a split: "validation" is "val", "latest" no "test"."""
    rest = "" if len(split) > 2 else r"(?![a-z0-9])"
    return re.search(rf"(?<![a-z0-9]){re.escape(split.lower())}{rest}", name) is not None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
