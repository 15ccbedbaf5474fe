"""Digests of a checkpoint's files: TensorStore's own checksums cover its indices, but not the values of the arrays.

A flipped bit in an array would be loaded in silence, so every file's SHA-256 is written beside the files, in the
background, once they are all there.
"""

import hashlib
import json
from pathlib import Path

from data_pipelines.atomic_files import write_json

NAME = "digests.json"


def write_digests(checkpoint: Path) -> None:
    """Reads every file of a whole checkpoint and writes `digests.json` into it."""
    write_json(checkpoint / NAME, {name: _digest(checkpoint / name) for name in _files(checkpoint)})


def find_damage(checkpoint: Path) -> str | None:
    """What is wrong with the files of a checkpoint, one line each; None where nothing is.

    Also None where there are no digests, because the process ended between the checkpoint and its digests.
    """
    path = checkpoint / NAME
    if not path.exists():
        return None
    try:
        expected = dict(json.loads(path.read_text()))
    except ValueError as error:
        return f"{NAME} is not readable: {error}"
    problems = [f"{name} is missing" for name in expected if not (checkpoint / name).is_file()]
    for name, digest in expected.items():
        if (checkpoint / name).is_file() and (found := _digest(checkpoint / name)) != digest:
            problems.append(f"{name}: expected {_shown(digest)}, found {_shown(found)}")
    return "; ".join(problems) or None


def _files(checkpoint: Path) -> list[str]:
    paths = (path for path in checkpoint.rglob("*") if path.is_file() and path.name != NAME)
    return sorted(str(path.relative_to(checkpoint)) for path in paths)


def _digest(path: Path) -> list:
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]


def _shown(digest: list) -> str:
    return f"{digest[0]:,} bytes with SHA-256 {digest[1][:12]}"
