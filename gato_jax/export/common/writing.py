"""Writing safetensors files one tensor at a time, in files of bounded size, and going on where an interrupt stopped.

The `safetensors` library writes a file from a dict of all its tensors; here they come one by one, because a model may
be as large as the memory. The result is checked with that library's own reader in a fresh process.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_pipelines import atomic_files
from gato_jax.weights.safetensors_reader import DTYPES

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


def write_tensors(
    directory: Path,
    stem: str,
    entries: Sequence[Entry],
    read: Read,
    *,
    limit: int,
    metadata: dict[str, str],
    progress: Progress,
) -> None:
    """Writes `<stem>.safetensors`, or numbered files with `<stem>.safetensors.index.json` above `limit` bytes.

    Tensors that whole or partial files from an earlier, interrupted call already hold are not written again.

    Args:
      read: values of a tensor by name, of the entry's shape; asked for in the order of `entries`.
    """
    shards: list[list[Entry]] = [[]]
    room = limit
    for entry in entries:
        if entry.size > room and shards[-1]:
            shards.append([])
            room = limit
        shards[-1].append(entry)
        room -= entry.size
    if len(shards) == 1:
        _write(directory / f"{stem}.safetensors", shards[0], read, metadata, progress)
        return
    paths = [directory / f"{stem}-{i + 1:05d}-of-{len(shards):05d}.safetensors" for i in range(len(shards))]
    for path, shard in zip(paths, shards, strict=True):
        _write(path, shard, read, metadata, progress)
    where = {entry.name: path.name for path, shard in zip(paths, shards, strict=True) for entry in shard}
    total = sum(entry.size for entry in entries)
    atomic_files.write_json(
        directory / f"{stem}.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where}
    )


def _write(path: Path, entries: Sequence[Entry], read: Read, metadata: dict[str, str], progress: Progress) -> None:
    header = _header(entries, metadata)
    with path.open("r+b" if path.exists() else "w+b") as file:
        skip, end = 0, len(header)
        if file.read(len(header)) == header:
            size = path.stat().st_size
            while skip < len(entries) and end + entries[skip].size <= size:
                end += entries[skip].size
                skip += 1
            progress(end - len(header))
            file.truncate(end)
            file.seek(end)
        else:
            file.seek(0)
            file.truncate()
            file.write(header)
        for entry in entries[skip:]:
            array = read(entry.name)
            if array.shape != entry.shape:
                raise ValueError(f"{entry.name}: expected shape {entry.shape}, found {array.shape}")
            # Row by row where rows are large, so that a cast never copies a whole tensor.
            for piece in _pieces(array):
                file.write(np.ascontiguousarray(piece, entry.dtype).tobytes())
            progress(entry.size)


def _pieces(array: np.ndarray, size: int = 16 * 2**20) -> Sequence[np.ndarray]:
    if array.ndim == 0 or array.nbytes <= size:
        return [array]
    return np.array_split(array, -(-array.nbytes // size))


def _header(entries: Sequence[Entry], metadata: dict[str, str]) -> bytes:
    found: dict[str, object] = {"__metadata__": metadata}
    start = 0
    for entry in entries:
        stop = start + entry.size
        found[entry.name] = {"dtype": NAMES[entry.dtype], "shape": list(entry.shape), "data_offsets": [start, stop]}
        start = stop
    data = json.dumps(found, separators=(",", ":")).encode()
    data += b" " * (-len(data) % 8)
    return len(data).to_bytes(8, "little") + data
