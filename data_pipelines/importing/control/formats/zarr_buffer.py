"""Zarr replay buffers of diffusion policy: all steps in data/, the ends of episodes in meta/. No TensorFlow."""

import dataclasses
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.common import rules
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.extras import needed
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.control.episodes import Layout, RawEpisode, SourceSpec
from data_pipelines.importing.control.formats import flat
from data_pipelines.importing.control.options import ControlOptions

_DATA, _ENDS = "data", "meta/episode_ends"
_NO_OBSERVATION = ("action", "reward", "terminated", "truncated", "episode", "order", "next_observation")
"""Roles (`flat.NAMES`) whose usual names in data/ are no observation."""

_BROKEN = (OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError, zipfile.BadZipFile, zlib.error)
"""What zarr and its codecs raise for files that are not what they should be."""

_HEADER = 16
"""Bytes of a Blosc chunk that tell its size."""


class ZarrBuffer:
    """`data/<name>` [steps, ...] and `meta/episode_ends` [episodes]: a folder, of zarr 2 or 3, or one .zip file.

    The layout names no observation, so all arrays of data/ are, but those with the usual name of something else.

    Args:
      source: the .zarr folder, or the .zarr.zip file.
      options: `observation`, `action` and `columns` where names are not usual ones.

    Raises:
      SourceError: zarr is not installed; not that layout; ends that do not cover the steps; a chunk that is cut.
    """

    spec = SourceSpec()
    splits: tuple[str, ...] = ()

    def __init__(self, source: Path, options: ControlOptions):
        self._path, self._zarr = source, needed("zarr", "zarr folders")
        files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
        self.stamp: Mapping[str, Any] = file_stamp(source if source.is_dir() else source.parent, files)
        self._arrays, ends = self._opened()
        self.columns = tuple(self._arrays)
        self._ends = rules.as_ends(str(source), _ENDS, ends)
        for name, array in self._arrays.items():
            rules.check_ends(str(source), _ENDS, self._ends, array.shape[0], of=f"data/{name}")
        self._check_chunks()
        usual = flat.usual_layout(self.columns, options)
        self.layout = usual if usual.observation else self._all_else(usual)
        self.notes = (*self._unwritten(), *([] if usual.observation or options.observation else [self._observed()]))

    def __len__(self) -> int:
        return len(self._ends)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        arrays = {name: _Array(self._path, f"data/{name}", self._arrays[name]) for name in columns}
        yield from flat.cut(arrays, self._ends, columns, prefix=self._path.name, start=start)

    def _opened(self) -> tuple[dict[str, Any], np.ndarray]:
        """Name inside data/ -> array that is read when it is sliced; and the ends of the episodes."""
        try:
            store = self._zarr.storage.ZipStore(self._path, mode="r") if self._path.is_file() else str(self._path)
            root = self._zarr.open_group(store, mode="r")
            members, ends = dict(root[_DATA].members(max_depth=None)), np.asarray(root[_ENDS][:])
        except _BROKEN as error:
            raise SourceError(
                f"{self._path}: expected a zarr group with {_DATA}/ and {_ENDS}, found {type(error).__name__}: {error}"
            ) from error
        arrays = {name: members[name] for name in sorted(members) if isinstance(members[name], self._zarr.Array)}
        if scalars := [name for name, array in arrays.items() if not array.shape]:
            raise SourceError(f"{self._path}: data/{scalars[0]} is one value, expected one for each step")
        return arrays, ends

    def _all_else(self, usual: Layout) -> Layout:
        usual_columns = {*usual.action, *(name for role in _NO_OBSERVATION for name in flat.NAMES[role])}
        return dataclasses.replace(
            usual, observation={name: name for name in self.columns if name not in usual_columns}
        )

    def _observed(self) -> str:
        names = ", ".join(sorted(self.layout.observation.values()))
        return f"the layout names no observation, so these arrays are: {names}; --observation chooses others"

    def _unwritten(self) -> Iterator[str]:
        """Chunks that are not stored are legal, and the fill value; so are those that got lost."""
        for name, array in self._arrays.items():
            if missing := array.nchunks - array.nchunks_initialized:
                yield (
                    f"data/{name}: {missing} of {array.nchunks} chunks are not stored, and read as {array.fill_value}: "
                    "look whether they got lost"
                )

    def _check_chunks(self) -> None:
        """Blosc, the usual codec of zarr 2, gives whatever is in memory for a chunk that is cut: its header tells."""
        for name, array in self._arrays.items():
            blosc = any(type(codec).__name__.startswith("Blosc") for codec in array.compressors)
            if not blosc or self._path.is_file() or array.shards is not None:
                continue
            for path in (path for path in (self._path / _DATA / name).rglob("[0-9]*") if path.is_file()):
                with path.open("rb") as file:
                    head, size = file.read(_HEADER), path.stat().st_size
                expected = int.from_bytes(head[12:16], "little") if len(head) == _HEADER else _HEADER
                if size != expected:
                    raise SourceError(f"{path}: expected a chunk of {expected} bytes, found {size}")


@dataclasses.dataclass(frozen=True)
class _Array:
    """An array whose broken chunks are told by name."""

    path: Path
    name: str
    values: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    def __getitem__(self, steps: slice) -> np.ndarray:
        try:
            return np.asarray(self.values[steps])
        except _BROKEN as error:
            raise SourceError(
                f"{self.path}: {self.name}, steps {steps.start} to {steps.stop - 1}: a chunk is damaged "
                f"({type(error).__name__}: {error})"
            ) from error
