"""Parquet tables as NumPy arrays, and rows that are steps cut into episodes. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.parquet_rows import rows_from
from data_pipelines.importing.control.episodes import RawEpisode, objects
from data_pipelines.importing.control.formats import flat
from data_pipelines.importing.control.options import ControlOptions

_ROWS = 1024
"""Read at a time; rows may hold whole pictures."""


def leaves(schema: pyarrow.Schema) -> dict[str, tuple[str, ...]]:
    """Name "column/field" -> path of every leaf; a struct with `bytes` is a picture, and a leaf."""
    found: dict[str, tuple[str, ...]] = {}

    def visit(path: tuple[str, ...], kind: pyarrow.DataType) -> None:
        if pyarrow.types.is_struct(kind) and "bytes" not in [field.name for field in kind]:
            for field in kind:
                visit((*path, field.name), field.type)
        else:
            found["/".join(path)] = path

    for field in schema:
        visit((field.name,), field.type)
    return found


def is_list(kind: pyarrow.DataType) -> bool:
    """Whether cells of this type hold several values."""
    return pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind)


def column(table: Any, path: Sequence[str]) -> pyarrow.Array:
    """A column, or a field inside of one, of a table or batch."""
    found = table.column(path[0])
    found = found.combine_chunks() if isinstance(found, pyarrow.ChunkedArray) else found
    for name in path[1:]:
        found = found.field(name)
    return found


def to_numpy(values: pyarrow.Array, where: str) -> np.ndarray:
    """[T, ...] of an array of T values: numbers, lists of one length nested to any depth, texts, encoded pictures.

    Raises:
      SourceError: nulls; lists of several lengths; pictures that are names of files or addresses.
    """
    if isinstance(values, pyarrow.ExtensionArray):
        values = values.storage
    if values.null_count:
        raise SourceError(f"{where}: {values.null_count} of {len(values)} values are null")
    kind = values.type
    if is_list(kind):
        if not len(values):
            return np.zeros((0,))
        inner = values.flatten()
        size, rest = divmod(len(inner), len(values))
        lengths = np.asarray(pyarrow.compute.list_value_length(values))
        if rest or (lengths != size).any():
            raise SourceError(
                f"{where}: expected lists of one length, found lengths {int(lengths.min())} to {int(lengths.max())}"
            )
        found = to_numpy(inner, where)
        return found.reshape(len(values), size, *found.shape[1:])
    if pyarrow.types.is_struct(kind):
        pictures = values.field("bytes")
        if pictures.null_count:
            raise SourceError(f"{where}: pictures are names of files or addresses, expected their bytes")
        return objects(pictures.to_pylist())
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or pyarrow.types.is_binary(kind):
        return objects(values.to_pylist())
    if pyarrow.types.is_dictionary(kind):
        return objects(values.dictionary_decode().to_pylist())
    return values.to_numpy(zero_copy_only=False)


class StepRows:
    """Rows that are steps, cut into episodes: by a column that numbers or names episodes, or by flags at their ends.

    Args:
      files: read one after the other.
      source: for names and messages.
      options: `columns` where names are not usual ones.

    Raises:
      SourceError: nothing says where episodes end; rows of an episode that do not lie together or in order.
    """

    def __init__(self, files: Sequence[Path], source: Path, options: ControlOptions):
        self._files, self._source = list(files), source
        schema = schema_of(self._files[0])
        self._paths = leaves(schema)
        self.columns = tuple(self._paths)
        self._rows = [opened(path).metadata.num_rows for path in self._files]
        episode = flat.find("episode", self.columns, options)
        order = flat.find("order", self.columns, options)
        if episode is not None:
            names = self._whole(episode)
            changed = np.flatnonzero(names[1:] != names[:-1]) + 1
            self._ends = np.append(changed, len(names)) if len(names) else changed
            self._names = [str(name) for name in names[self._ends - 1]]
            if len(set(self._names)) != len(self._names):
                twice = next(name for name in self._names if self._names.count(name) > 1)
                raise SourceError(
                    f"{source}: rows of {episode} {twice!r} do not lie together; sort the files by {episode}"
                )
            if order is not None:
                numbers = self._whole(order)
                inside = np.ones(max(0, len(numbers) - 1), bool)
                inside[changed - 1] = False
                if numbers.dtype.kind in "iuf" and (np.diff(numbers)[inside] <= 0).any():
                    raise SourceError(f"{source}: {order} does not rise inside an episode; sort the files by it")
        else:
            flags = [flat.find(role, self.columns, options) for role in ("terminated", "truncated", "ends")]
            arrays = {name: self._whole(name) for name in flags if name is not None}
            self._ends = flat.boundaries(arrays, self.columns, options, str(source))
            self._names = [str(number) for number in range(len(self._ends))]

    def __len__(self) -> int:
        return len(self._ends)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        """Episodes from number `start` on, with these columns."""
        first = int(self._ends[start - 1]) if start else 0
        waiting: list[dict[str, pyarrow.Array]] = []
        number, have = start, 0
        for table in self._tables(first, sorted({self._paths[name][0] for name in columns})):
            while table.num_rows:
                need = int(self._ends[number]) - first - have
                piece = table.slice(0, need)
                waiting.append({name: column(piece, self._paths[name]) for name in columns})
                have += piece.num_rows
                table = table.slice(need)
                if piece.num_rows == need:
                    name, where = self._names[number], f"{self._source}, episode {self._names[number]!r}"
                    parts = {key: pyarrow.concat_arrays([part[key] for part in waiting]) for key in columns}
                    yield RawEpisode(name, {key: to_numpy(part, f"{where}, {key!r}") for key, part in parts.items()})
                    first, have, waiting, number = first + have, 0, [], number + 1

    def _tables(self, skip: int, columns: list[str]) -> Iterator[pyarrow.RecordBatch]:
        """All rows from number `skip` on."""
        for path, rows in zip(self._files, self._rows, strict=True):
            if skip >= rows:
                skip -= rows
                continue
            with opened(path) as file:
                if missing := sorted(set(columns) - set(file.schema_arrow.names)):
                    raise SourceError(f"{path}: no columns {missing}, which {self._files[0].name} has")
                yield from rows_from(file, skip, columns, _ROWS)
            skip = 0

    def _whole(self, name: str) -> np.ndarray:
        path = self._paths[name]
        parts = [column(opened(file).read(columns=[path[0]]), path) for file in self._files]
        return np.concatenate([to_numpy(part, f"{self._source}, {name!r}") for part in parts])


def opened(path: Path) -> pyarrow.parquet.ParquetFile:
    """A parquet file. Raises `SourceError` when it is none."""
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise SourceError(f"{path}: no parquet file, or a broken one ({error})") from error


def schema_of(path: Path) -> pyarrow.Schema:
    """Columns of a parquet file."""
    return opened(path).schema_arrow


def cells(row: pyarrow.RecordBatch, paths: Mapping[str, tuple[str, ...]], names: frozenset[str], where: str) -> dict:
    """Columns of an episode that is one row: each cell is a list of T values."""
    return {name: to_numpy(column(row, paths[name]).flatten(), f"{where}, {name!r}") for name in names}
