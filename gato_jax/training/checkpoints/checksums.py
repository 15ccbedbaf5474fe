"""Digests of a checkpoint's files: TensorStore's own checksums cover its indices, but not the values of the arrays.

A flipped bit in an array would be loaded silently, so every file's SHA-256 is written beside the files, in the
background, once they are all there.
"""

import hashlib
from pathlib import Path

from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import DamagedFile, read_json
from gato_jax.training.checkpoints.directory import DIGESTS

SIZE = hashlib.sha256().digest_size * 2


def has_digests(checkpoint: Path) -> bool:
    """False where the process ended between the checkpoint and its digests."""
    return (checkpoint / DIGESTS).exists()


def write_digests(checkpoint: Path) -> None:
    """Reads every file of a whole checkpoint and writes `digests.json` into it."""
    write_json(checkpoint / DIGESTS, {name: _digest(checkpoint / name) for name in _files(checkpoint)})


def find_damage(checkpoint: Path) -> str | None:
    """What is wrong with the files of a checkpoint that has digests, one part each; None where nothing is."""
    path = checkpoint / DIGESTS
    try:
        expected = read_json(path, "sizes and digests by file")
    except DamagedFile as error:
        return str(error)
    for name, entry in expected.items():
        if not _is_digest(entry):
            return f"{path}: {name}: expected [bytes, SHA-256], found {str(entry)[:80]}"
    problems = [f"{name} is missing" for name in expected if not (checkpoint / name).is_file()]
    problems += [f"{name} is not in {DIGESTS}" for name in _files(checkpoint) if name not in expected]
    for name, digest in expected.items():
        if (checkpoint / name).is_file() and (actual := _digest(checkpoint / name)) != digest:
            problems.append(f"{name}: expected {_shown(digest)}, found {_shown(actual)}")
    return "; ".join(problems) or None


def _files(checkpoint: Path) -> list[str]:
    """All that Orbax wrote. Hidden files are of file systems, desktops, or of digests whose writing was cut short."""
    paths = (path for path in checkpoint.rglob("*") if path.is_file() and path.name != DIGESTS)
    return sorted(str(path.relative_to(checkpoint)) for path in paths if not path.name.startswith("."))


def _is_digest(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    return type(entry[0]) is int and isinstance(entry[1], str) and len(entry[1]) == SIZE


def _digest(path: Path) -> list:
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]


def _shown(digest: list) -> str:
    return f"{digest[0]:,} bytes with SHA-256 {digest[1][:12]}"
