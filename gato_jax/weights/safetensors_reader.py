"""Reading safetensors files of strangers: everything is checked by name before memory is taken.

The format (https://huggingface.co/docs/safetensors): 8 bytes with the length of a JSON header, the header (name ->
dtype, shape, offsets), and the tensors' bytes. A header may lie, so its claims are compared with the file's size, with
each other and with the architecture before a byte of a tensor is read; then tensors are memory-mapped one at a time.
Pickles are never opened.
"""

import json
import math
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from data_pipelines.read_json import json_damage
from gato_jax.weights.tensor_names import ExportError

MAX_HEADER = 32 * 2**20
MAX_SMALL = 64 * 2**20
MAX_FILES = 4096
MAX_RANK = 8
DTYPES: Mapping[str, np.dtype] = {
    "F32": np.dtype(np.float32),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I32": np.dtype(np.int32),
}
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5", ".joblib")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.safetensors")


class Slot(NamedTuple):
    """Where one tensor lies."""

    path: Path
    dtype: np.dtype
    shape: tuple[int, ...]
    start: int
    """First byte, counted from the beginning of the file."""

    def read(self) -> np.ndarray:
        """The tensor, mapped from the file; nothing is read until it is used."""
        if 0 in self.shape:
            return np.zeros(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", self.start, self.shape)


def read_bytes(path: Path) -> bytes:
    """A small file of a stranger. Raises `ExportError` where it is absent, huge, or no plain file."""
    regular_file(path)
    if path.stat().st_size > MAX_SMALL:
        raise ExportError(f"{path}: expected at most {MAX_SMALL} bytes, found {path.stat().st_size}")
    return path.read_bytes()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a stranger. Raises `ExportError` where it is absent, huge, damaged or something else."""
    return _parse(read_bytes(path), str(path))


def regular_file(path: Path) -> None:
    """Raises `ExportError` unless `path` is a plain file that lies in its directory."""
    try:
        status = path.lstat()
    except OSError as error:
        raise ExportError(f"export {path.parent}: expected a file {path.name}, found none") from error
    if stat.S_ISLNK(status.st_mode):
        raise ExportError(
            f"{path}: expected a plain file, found a symbolic link; copy what it points to (a download into a "
            "directory of its own, not into a cache, has plain files)"
        )
    if not stat.S_ISREG(status.st_mode):
        raise ExportError(f"{path}: expected a plain file, found something else")


def read_header(path: Path) -> dict[str, Slot]:
    """The tensors of one file by name, after all claims of its header were checked against the file.

    Raises:
      ExportError: truncated, longer than its header says, overlapping or missing bytes, unknown dtypes, and so on.
    """
    regular_file(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        if len(prefix) < 8:
            raise ExportError(f"{path} is damaged: expected at least 8 bytes, found {size}")
        length = int.from_bytes(prefix, "little")
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            limit = min(MAX_HEADER, size - 8)
            raise ExportError(f"{path} is damaged: its header claims {length} bytes, expected 2 to {limit}")
        header = _parse(file.read(length), f"{path}: the header")
    header.pop("__metadata__", None)
    slots = {name: _slot(path, name, claim, 8 + length) for name, claim in header.items()}
    end = 8 + length
    for name, slot in sorted(slots.items(), key=lambda pair: (pair[1].start, _bytes(pair[1]))):
        if slot.start != end:
            raise ExportError(f"{path} is damaged: tensor {name!r} begins at byte {slot.start}, expected {end}")
        end += _bytes(slot)
    if end != size:
        kind = "truncated" if size < end else "oversized"
        raise ExportError(f"{path} is damaged ({kind}): expected {end} bytes as its header says, found {size}")
    return slots


def find_tensors(directory: Path, stem: str) -> dict[str, Slot]:
    """All tensors of `<stem>.safetensors`, or of the files that `<stem>.safetensors.index.json` names.

    Raises:
      ExportError: neither is there (pickles are named and not opened), an index that points out of its directory or
        disagrees with its files, or a damaged file.
    """
    single, index = directory / f"{stem}.safetensors", directory / f"{stem}.safetensors.index.json"
    if index.exists() or index.is_symlink():
        return _indexed(directory, index)
    if not single.exists() and not single.is_symlink():
        pickles = sorted(path.name for path in directory.iterdir() if path.suffix in PICKLES)
        hint = (
            f"; {', '.join(pickles[:3])} would have to be unpickled, which runs code and is not done" if pickles else ""
        )
        raise ExportError(f"export {directory}: expected a file {single.name}, found none{hint}")
    return read_header(single)


def check_tensors(where: Path, expected: Mapping[str, tuple[int, ...]], slots: Mapping[str, Slot]) -> None:
    """Raises `ExportError` naming every tensor that is missing, unknown, or of another shape or dtype."""
    problems = []
    for name in sorted({*expected, *slots}):
        if name not in slots:
            problems.append(f"{name}: missing")
        elif name not in expected:
            problems.append(f"{name}: not a parameter of this architecture")
        else:
            if slots[name].shape != expected[name]:
                problems.append(f"{name}: expected shape {expected[name]}, found {slots[name].shape}")
            if slots[name].dtype not in (DTYPES["F32"], DTYPES["BF16"]):
                problems.append(f"{name}: expected dtype float32 or bfloat16, found {slots[name].dtype}")
    if problems:
        shown = problems[:10] + ([f"and {len(problems) - 10} more"] if len(problems) > 10 else [])
        raise ExportError(f"export {where} does not fit its architecture:\n  " + "\n  ".join(shown))


def _indexed(directory: Path, index: Path) -> dict[str, Slot]:
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise ExportError(
            f"{index}: expected a mapping 'weight_map' from tensors to files, found {type(where).__name__}"
        )
    for name, file in where.items():
        if not isinstance(file, str) or not FILE_NAME.fullmatch(file):
            raise ExportError(
                f"{index}: weight_map[{name[:80]!r}]: expected the name of a .safetensors file in this directory, "
                f"found {str(file)[:200]!r}"
            )
    names = sorted(set(where.values()))
    if len(names) > MAX_FILES:
        raise ExportError(f"{index}: expected at most {MAX_FILES} files, found {len(names)}")
    all_slots: dict[str, Slot] = {}
    for file in names:
        slots = read_header(directory / file)
        listed = {name for name, owner in where.items() if owner == file}
        if listed != set(slots):
            other = sorted(listed ^ set(slots))[:3]
            raise ExportError(f"{index}: disagrees with the header of {file} about {other}")
        all_slots |= slots
    return all_slots


def _slot(path: Path, name: str, claim: Any, base: int) -> Slot:
    where = f"{path} is damaged: tensor {name[:120]!r}"
    if not isinstance(claim, dict) or set(claim) != {"dtype", "shape", "data_offsets"}:
        raise ExportError(f"{where}: expected dtype, shape and data_offsets, found {str(claim)[:120]}")
    dtype, shape, offsets = claim["dtype"], claim["shape"], claim["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ExportError(f"{where}: expected a dtype of {sorted(DTYPES)}, found {str(dtype)[:40]!r}")
    if not _naturals(shape) or len(shape) > MAX_RANK:
        raise ExportError(f"{where}: expected a shape of at most {MAX_RANK} sizes, found {str(shape)[:120]}")
    if not _naturals(offsets) or len(offsets) != 2:
        raise ExportError(f"{where}: expected two data_offsets, found {str(offsets)[:120]}")
    expected = math.prod(shape) * DTYPES[dtype].itemsize
    if offsets[1] - offsets[0] != expected:
        raise ExportError(
            f"{where}: {dtype}{shape} needs {expected} bytes, its data_offsets give {offsets[1] - offsets[0]}"
        )
    return Slot(path, DTYPES[dtype], tuple(shape), base + offsets[0])


def _bytes(slot: Slot) -> int:
    return math.prod(slot.shape) * slot.dtype.itemsize


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _parse(data: bytes, where: str) -> dict[str, Any]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            raise ExportError(f"{where}: the key {twice[:80]!r} stands there twice")
        return result

    try:
        content = json.loads(data.decode("utf-8"), object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{where} is damaged: expected JSON, found {json_damage(data, error)}") from error
    if not isinstance(content, dict):
        raise ExportError(f"{where}: expected a JSON object, found a {type(content).__name__}")
    return content
