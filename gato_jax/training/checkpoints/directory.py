"""What is in a `checkpoints` directory: ours, what a save that was cut short left, and what somebody else put there.

Only what is certainly ours is ever removed. A stranger is named and left alone, or set aside where its name is a
step's, which a save would need.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

DIRECTORY = "checkpoints"
DIGESTS = "digests.json"
PARTIAL = ".orbax-checkpoint-tmp"
"""Behind the step in the name of a checkpoint that is being written, or removed."""

PARTS = ("_CHECKPOINT_METADATA", DIGESTS, "parameters", "optimizer")
"""A directory with one of them is a checkpoint of ours, whole or damaged."""

DAMAGED, ASIDE = "damaged-", "set-aside-"


class CheckpointError(RuntimeError):
    """A checkpoint that is missing, damaged, or of another model; the message names it."""


def damaged(path: Path, reason: Any) -> CheckpointError:
    """The error of a checkpoint that cannot be used, and what to do."""
    text = " ".join(str(reason).split())
    step = step_of(path.name)
    before = [other for other in steps_of(path.parent) if step is not None and other < step]
    hint = ""
    if before:
        last = path.parent / str(before[-1])
        hint = f"; remove it to continue from {last}, or set train.on_damaged to last_good"
    return CheckpointError(f"checkpoint {path} is damaged or incomplete: {text[:500]}{hint}")


def step_of(name: str) -> int | None:
    """The step that a name stands for; None where it is not written as we write steps ("²", "007")."""
    if not (name.isascii() and name.isdecimal() and len(name) < 19):
        return None
    return int(name) if str(int(name)) == name else None


def is_checkpoint(path: Path) -> bool:
    """Whether this is a checkpoint of ours, whole or damaged."""
    return path.is_dir() and any((path / part).exists() for part in PARTS)


def steps_of(directory: Path) -> list[int]:
    """Steps that have a checkpoint in a `checkpoints` directory, in order."""
    if not directory.is_dir():
        return []
    steps = ((path, step_of(path.name)) for path in directory.iterdir())
    return sorted(step for path, step in steps if step is not None and is_checkpoint(path))


def find_checkpoint(path: Path) -> Path:
    """The checkpoint directory meant by a run directory (its latest), a `checkpoints` directory, or a checkpoint.

    Raises:
      CheckpointError: there is none.
    """
    path = Path(path).absolute()
    runs = (path / DIRECTORY, path)
    if step_of(path.name) is not None and path.is_dir() and not (path / DIRECTORY).is_dir():
        return path
    for directory in runs:
        if steps := steps_of(directory):
            return directory / str(steps[-1])
    strange = [name for directory in runs for name in strangers(directory) if directory.name == DIRECTORY]
    beside = f"; what is there is none: {', '.join(strange[:5])}" if strange else ""
    raise CheckpointError(f"no checkpoint in {path}: expected a run directory with {DIRECTORY}/<step>{beside}")


def strangers(directory: Path) -> list[str]:
    """Names in a `checkpoints` directory that are not ours."""
    if not directory.is_dir():
        return []
    return sorted(path.name for path in directory.iterdir() if not _is_ours(path))


def tidy(directory: Path, say: Callable[[str], None]) -> None:
    """Removes what a save that was cut short left, and names what is not ours. For the one process that saves there."""
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir()):
        if _is_partial(path):
            shutil.rmtree(path, ignore_errors=True)
            say(f"removed {path}, which a save that was cut short left")
    for name in strangers(directory):
        path = directory / name
        if step_of(name) is not None:
            say(f"{path} is no checkpoint; set aside as {set_aside(path, ASIDE)}")
        else:
            say(f"{path} is no checkpoint; left alone")


def set_aside(path: Path, prefix: str) -> Path:
    """Renames an entry, so that nothing reads it and its step can be saved again. Returns its place."""
    place = path.with_name(f"{prefix}{path.name}")
    while place.exists() or place.is_symlink():
        place = place.with_name(place.name + "+")
    return path.rename(place)


def remove(path: Path) -> None:
    """Removes a checkpoint of ours. A kill in the middle leaves what `tidy` removes, and no half of a checkpoint."""
    if not path.is_symlink():
        shutil.rmtree(path.rename(path.with_name(path.name + PARTIAL)), ignore_errors=True)


def _is_partial(path: Path) -> bool:
    step, _, suffix = path.name.partition(".")
    return f".{suffix}" == PARTIAL and step_of(step) is not None and path.is_dir() and not path.is_symlink()


def _is_ours(path: Path) -> bool:
    if step_of(path.name) is not None:
        return is_checkpoint(path)
    return _is_partial(path) or path.name.startswith((DAMAGED, ASIDE))
