"""`digests.json` of an export: the SHA-256 of every tensor, made from what was written, before it was on a disk.

    {"shape": {"width": 64, ...},            what config.json says of the network
     "tensors": {name: SHA-256 of the tensor's bytes as the file has them},
     "optimizer": the same of the optimizer's state,
     "files": {name: SHA-256 of the file}}   everything else, but for config.json and README.md

Whoever reads a tensor compares: our own readers through `checked`, the files beside the weights through
`check_digests.py`, which says the same without this package.
"""

import dataclasses
import hashlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.read_json import DamagedFile, parse_json
from gato_jax.training.checkpoints.finite import not_finite
from gato_jax.weights.safetensors_reader import read_bytes
from gato_jax.weights.tensor_names import ExportError

FILE = "digests.json"
PARTS = ("tensors", "optimizer", "files")
Read = Callable[[str], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Digests:
    """SHA-256 by name."""

    tensors: Mapping[str, str]
    optimizer: Mapping[str, str]
    files: Mapping[str, str]


def read_digests(directory: Path, *, expected: bool) -> Digests | None:
    """The digests of an export. None where an earlier version wrote it without them; one warning says so.

    Args:
      expected: whether config.json says that there are some.

    Raises:
      ExportError: damaged, or missing although config.json speaks of them.
    """
    path = directory / FILE
    if not path.exists() and not path.is_symlink():
        if expected:
            raise ExportError(f"export {directory}: expected a file {FILE}, as config.json says, found none")
        warnings.warn(
            f"export {directory} has no {FILE}: an earlier version wrote it, and nothing tells whether its weights "
            "have changed since; export it again to get them",
            stacklevel=2,
        )
        return None
    kinds = dict.fromkeys(PARTS, dict)
    try:
        content = parse_json(read_bytes(path), f"{path}", "digests of tensors and files", keys=kinds)
    except DamagedFile as error:
        raise ExportError(f"{path} is damaged: {error}") from error
    for part in PARTS:
        for name, digest in content[part].items():
            if not isinstance(digest, str):
                raise ExportError(f"{path} is damaged: {part}: {name}: expected a SHA-256, found {str(digest)[:80]}")
    return Digests(**{part: content[part] for part in PARTS})


def digest_of(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes in the order of its elements."""
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def checked(directory: Path, stem: str, read: Read, expected: Mapping[str, str] | None) -> Read:
    """`read`, whose arrays are compared with their digests, where there are any, and must be finite.

    Raises:
      ExportError: by the reader that is returned; names file, tensor, expected and found.
    """

    def read_checked(name: str) -> np.ndarray:
        array = read(name)
        where = f"export {directory} is damaged: {stem}.safetensors: tensor {name!r}"
        if expected is not None:
            if name not in expected:
                raise ExportError(f"{where} is not in {FILE}")
            if (actual := digest_of(array)) != expected[name]:
                raise ExportError(f"{where}: expected SHA-256 {_shown(expected[name])}, found {_shown(actual)}")
        if problem := not_finite(array):
            raise ExportError(f"{where}: {problem}")
        return array

    return read_checked


def check_part(directory: Path, name: str, expected: Mapping[str, str]) -> None:
    """Raises `ExportError` where a file in a folder of an export is empty, or another one than was written."""
    check_file(directory / name, {Path(name).name: expected[name]} if name in expected else {})


def check_file(path: Path, expected: Mapping[str, str]) -> None:
    """Raises `ExportError` where a file beside the weights is empty, or another one than was written."""
    data = read_bytes(path)
    if not data:
        raise ExportError(f"{path} is damaged: expected the {path.name} of an export, found an empty file")
    actual = hashlib.sha256(data).hexdigest()
    if path.name in expected and actual != expected[path.name]:
        raise ExportError(f"{path} is damaged: expected SHA-256 {_shown(expected[path.name])}, found {_shown(actual)}")


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shown(digest: Any) -> str:
    return str(digest)[:12]
