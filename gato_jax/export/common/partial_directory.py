"""A directory that appears whole or not at all, and is gone on with after an interrupt.

It is made as `.NAME.partial` beside its place, with a lock and a file that says of which job it is. Whatever else has
that name is somebody else's and is not touched. At any moment a kill leaves what the same call goes on from.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines import atomic_files
from data_pipelines.read_json import read_json
from gato_jax.export.common.writing import WRITTEN
from gato_jax.weights.tensor_names import ProcessKilled

LOCK, JOB = "lock", "job.json"
OURS = (LOCK, JOB, WRITTEN)
"""What a partial directory holds beside its content."""

LAYOUT = 3
"""Of a partial directory."""


def digest_of_job(job: Mapping[str, Any]) -> str:
    """By which a finished directory is known to be of a job; tells nothing about its paths."""
    return hashlib.sha256(json.dumps(dict(job), sort_keys=True).encode()).hexdigest()


def check_target(out: Path, what: str) -> None:
    """Refuses, by name and before any work, a place where no new directory can stand.

    Raises:
      ValueError: it is the working directory or above it, has no name of its own, or is a link or a mount.
    """
    name = out.name
    if name in ("", "..") or Path.cwd() == out.resolve() or out.resolve() in Path.cwd().parents:
        raise ValueError(f"to: expected the name of a directory to make for {what}, found {str(out)!r}")
    if out.is_symlink():
        raise ValueError(f"to: expected the name of a directory to make for {what}, found the link {str(out)!r}")
    if os.path.ismount(out):
        raise ValueError(f"to: expected the name of a directory to make for {what}, found the mount {str(out)!r}")


def check_empty(out: Path) -> None:
    """Raises `FileExistsError` where something is there: nothing is ever written over."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} exists and is not empty; choose another directory or remove it first")


@contextlib.contextmanager
def partial_directory(out: Path, job: Mapping[str, Any], *, say: Callable[[str], None] | None = None) -> Iterator[Path]:
    """The directory that becomes `out`. An interrupt leaves it for the same job to go on from, an error removes it.

    Args:
      job: what it is of; only the same job goes on from it.
      say: tells a person that it does.

    Raises:
      FileExistsError: `out` is there and not empty, somebody else has the partial directory's name, or works in it.
      DamagedFile: its job file is damaged.
    """
    check_empty(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.parent / f".{out.name}.partial"
    _refuse_strangers(work)
    work.mkdir(exist_ok=True)
    with os.fdopen(os.open(work / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o644), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileExistsError(f"{work}: another export is writing there") from error
        if not (work / LOCK).exists():
            raise FileExistsError(f"{out}: another export has just written it")
        # Only now is nobody else's work in danger.
        job = {"layout": LAYOUT, **job}
        if (work / JOB).is_file() and _read_job(work) == job:
            if say:
                say(f"going on from {work}")
        else:
            _empty(work)
            atomic_files.write_json(work / JOB, job)
        try:
            yield work
        except ProcessKilled:
            raise
        except Exception:
            shutil.rmtree(work, ignore_errors=True)
            raise
        os.replace(work, out)
        remove_ours(out)


def remove_ours(out: Path) -> None:
    """Removes what a partial directory held beside its content; a kill may have left it in the finished one."""
    for name in OURS:
        (out / name).unlink(missing_ok=True)


def _refuse_strangers(work: Path) -> None:
    what = "a directory that an interrupted call left"
    advice = "move it away, or choose another place"
    if work.is_symlink() or (work.exists() and not work.is_dir()):
        kind = "a link" if work.is_symlink() else "a file"
        raise FileExistsError(f"{work}: expected {what}, or nothing, found {kind}; {advice}")
    if not work.exists():
        return
    names = sorted(path.name for path in work.iterdir())
    if JOB in names:
        _read_job(work)
    # Killed before it said what it is of, a call leaves the lock at most, and the beginnings of a job file.
    elif strange := [name for name in names if name != LOCK and not name.startswith(f".{JOB}.")]:
        shown = ", ".join(strange[:5])
        raise FileExistsError(f"{work}: expected {what}, with a {JOB}, found somebody else's: {shown}; {advice}")


def _read_job(work: Path) -> dict[str, Any]:
    remedy = f"remove {work} to begin anew"
    return read_json(work / JOB, "the job of an interrupted export", keys={"layout": int}, remedy=remedy)


def _empty(work: Path) -> None:
    """Removes all but the lock. Until it is done, the directory is of no job."""
    atomic_files.write_json(work / JOB, {"layout": LAYOUT, "job": "none; being emptied"})
    for path in work.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in (LOCK, JOB):
            path.unlink()
