"""Writing safetensors files one tensor at a time, in files of bounded size, and going on where an interrupt stopped.

The `safetensors` library writes a file from a dict of all its tensors; here they come one by one, because a model may
be as large as the memory. The result is checked with that library's own reader in a fresh process.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from data_pipelines import atomic_files
from gato_jax.weights.safetensors_reader import DTYPES

WRITTEN = "written.jsonl"
"""Digests of what is on disk so far; a part of a partial directory, and of no export."""

PIECE = 16 * 2**20
NAMES = {dtype: name for name, dtype in DTYPES.items()}
Read = Callable[[str], np.ndarray]
Progress = Callable[[int], None]
"""Called with the number of bytes that were just written."""


class Entry(NamedTuple):
    """One tensor to write."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Written:
    """SHA-256 of the tensors that were written into a directory, also by an earlier call that was interrupted.

    They are made from the values in memory, and noted line by line, so that nothing on the disk vouches for itself.
    """

    def __init__(self, directory: Path):
        self._path = directory / WRITTEN
        self._found: dict[tuple[str, str], str] = {}
        text = self._path.read_text() if self._path.is_file() else ""
        whole, _, rest = text.rpartition("\n")
        for line in whole.splitlines():
            stem, name, digest = json.loads(line)
            self._found[stem, name] = digest
        if rest:  # The last line of a call that was killed; its tensor is written again.
            atomic_files.write_text(self._path, f"{whole}\n" if whole else "")

    def get(self, stem: str, name: str) -> str | None:
        return self._found.get((stem, name))

    def add(self, stem: str, name: str, digest: str) -> None:
        self._found[stem, name] = digest
        with self._path.open("a") as file:
            file.write(json.dumps([stem, name, digest]) + "\n")

    def digests(self, stem: str) -> dict[str, str]:
        """By name."""
        return {name: digest for (of, name), digest in self._found.items() if of == stem}


def write_tensors(
    directory: Path,
    stem: str,
    entries: Sequence[Entry],
    read: Read,
    *,
    limit: int,
    metadata: dict[str, str],
    progress: Progress,
    written: Written,
) -> None:
    """Writes `<stem>.safetensors`, or numbered files with `<stem>.safetensors.index.json` above `limit` bytes.

    Tensors that whole or partial files from an earlier, interrupted call already hold, as they were written, are not
    written again.

    Args:
      read: values of a tensor by name, of the entry's shape; asked for in the order of `entries`.
      written: gets their digests.
    """
    shards: list[list[Entry]] = [[]]
    free_bytes = limit
    for entry in entries:
        if entry.size > free_bytes and shards[-1]:
            shards.append([])
            free_bytes = limit
        shards[-1].append(entry)
        free_bytes -= entry.size
    if len(shards) == 1:
        _write(directory / f"{stem}.safetensors", stem, shards[0], read, metadata, progress, written)
        return
    paths = [directory / f"{stem}-{i + 1:05d}-of-{len(shards):05d}.safetensors" for i in range(len(shards))]
    for path, shard in zip(paths, shards, strict=True):
        _write(path, stem, shard, read, metadata, progress, written)
    where = {entry.name: path.name for path, shard in zip(paths, shards, strict=True) for entry in shard}
    total = sum(entry.size for entry in entries)
    atomic_files.write_json(
        directory / f"{stem}.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where}
    )


def _write(
    path: Path,
    stem: str,
    entries: Sequence[Entry],
    read: Read,
    metadata: dict[str, str],
    progress: Progress,
    written: Written,
) -> None:
    header = _header(entries, metadata)
    if path.is_symlink():  # Somebody else's file would be written over.
        path.unlink()
    with path.open("r+b" if path.exists() else "w+b") as file:
        skip = 0
        if file.read(len(header)) == header:
            skip = _count_whole(file, [(entry, written.get(stem, entry.name)) for entry in entries])
        end = sum(entry.size for entry in entries[:skip])
        progress(end)
        file.seek(0)
        file.write(header)
        file.seek(len(header) + end)
        file.truncate()
        for entry in entries[skip:]:
            array = read(entry.name)
            if array.shape != entry.shape:
                raise ValueError(f"{entry.name}: expected shape {entry.shape}, found {array.shape}")
            digest = hashlib.sha256()
            # Row by row where rows are large, so that a cast never copies a whole tensor.
            for piece in _pieces(array):
                data = np.ascontiguousarray(piece, entry.dtype).tobytes()
                digest.update(data)
                file.write(data)
            file.flush()
            written.add(stem, entry.name, digest.hexdigest())
            progress(entry.size)


def _count_whole(file: BinaryIO, entries: Sequence[tuple[Entry, str | None]]) -> int:
    """How many tensors, from the place where the file is, are there as they were written."""
    for count, (entry, digest) in enumerate(entries):
        sha256, left = hashlib.sha256(), entry.size
        while left and (data := file.read(min(left, PIECE))):
            sha256.update(data)
            left -= len(data)
        if left or sha256.hexdigest() != digest:
            return count
    return len(entries)


def _pieces(array: np.ndarray) -> Sequence[np.ndarray]:
    if array.ndim == 0 or array.nbytes <= PIECE:
        return [array]
    return np.array_split(array, -(-array.nbytes // PIECE))


def _header(entries: Sequence[Entry], metadata: dict[str, str]) -> bytes:
    header: dict[str, object] = {"__metadata__": metadata}
    start = 0
    for entry in entries:
        stop = start + entry.size
        header[entry.name] = {"dtype": NAMES[entry.dtype], "shape": list(entry.shape), "data_offsets": [start, stop]}
        start = stop
    data = json.dumps(header, separators=(",", ":")).encode()
    data += b" " * (-len(data) % 8)
    return len(data).to_bytes(8, "little") + data
