"""Files and directories that are either whole or not there: readers see the old content or the new, never a part."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes beside `path`, to the disk, then renames over it. A failure (disk full, interrupt) leaves the old file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """`write_bytes` of UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """`write_bytes` of indented JSON, keys in their own order: what runs, exports and reports hold."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_sorted_json(path: str | Path, value: Any) -> None:
    """`write_bytes` of indented JSON with sorted keys: what data directories and caches hold."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def check_destination(path: str | Path) -> None:
    """Raises `IsADirectoryError` or `NotADirectoryError` where no file can be written: before it is computed."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file to write, found a directory")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise NotADirectoryError(f"{path}: cannot be written, as {above} is a file")


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yields an empty directory beside `path` that takes its place when the block ends well, and is removed when not.

    Raises:
      FileExistsError: `path` exists and is not empty: nothing is ever written over.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} exists and is not empty; choose another directory or remove it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield work
        work.chmod(0o755)
        os.replace(work, path)  # takes the place of an empty directory too
    finally:
        shutil.rmtree(work, ignore_errors=True)
