"""Parquet tables as NumPy arrays, and rows that are steps cut into episodes. No TensorFlow."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from data_pipelines.importing.common import rules
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.table_files import TableFile
from data_pipelines.importing.control.episodes import RawEpisode, objects
from data_pipelines.importing.control.formats import flat
from data_pipelines.importing.control.options import ControlOptions

_ROWS = 1024
"""Read at a time; rows may hold whole pictures."""


def leaves(schema: pyarrow.Schema) -> dict[str, tuple[str, ...]]:
    """Name "column/field" -> path of every leaf; a struct with `bytes` is a picture, and a leaf."""
    paths: dict[str, tuple[str, ...]] = {}

    def visit(path: tuple[str, ...], kind: pyarrow.DataType) -> None:
        if pyarrow.types.is_struct(kind) and "bytes" not in [field.name for field in kind]:
            for field in kind:
                visit((*path, field.name), field.type)
        else:
            paths["/".join(path)] = path

    for field in schema:
        visit((field.name,), field.type)
    return paths


def class_labels(schema: pyarrow.Schema) -> dict[str, int]:
    """Column -> number of classes, where Hugging Face's description in the schema says that it holds class labels."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        return {name: len(kind["names"]) for name, kind in features.items() if kind.get("_type") == "ClassLabel"}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}  # Somebody else's metadata under that name: it is a help, and nothing that is relied on.


def is_list(kind: pyarrow.DataType) -> bool:
    """Whether cells of this type hold several values."""
    return pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind)


def column(table: Any, path: Sequence[str]) -> pyarrow.Array:
    """A column, or a field inside of one, of a table or batch."""
    values = table.column(path[0])
    values = values.combine_chunks() if isinstance(values, pyarrow.ChunkedArray) else values
    for name in path[1:]:
        values = values.field(name)
    return values


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
        array = to_numpy(inner, where)
        return array.reshape(len(values), size, *array.shape[1:])
    if pyarrow.types.is_struct(kind):
        pictures = values.field("bytes")
        if pictures.null_count:
            raise SourceError(f"{where}: pictures are names of files or addresses, expected their bytes")
        return objects(pictures.to_pylist())
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or pyarrow.types.is_binary(kind):
        return objects(values.to_pylist())
    if pyarrow.types.is_dictionary(kind):
        return to_numpy(values.dictionary_decode(), where)
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

    def __init__(self, files: Sequence[TableFile], source: Path, options: ControlOptions):
        self._files, self._source = list(files), source
        self._paths = leaves(self._files[0].schema)
        self.columns = tuple(self._paths)
        self._rows = [len(file) for file in self._files]
        roles = {role: flat.find(role, self.columns, options) for role in flat.BOUNDARIES}
        arrays = {name: self._whole(name) for name in roles.values() if name is not None}
        episode, order = roles["episode"], flat.find("order", self.columns, options)
        self._ends = flat.boundaries(arrays, self.columns, options, str(source), rows=sum(self._rows))
        self._names = [str(number) for number in range(len(self._ends))]
        counted = None if order is None else self._whole(order)
        if episode is not None:
            self._names = [str(name) for name in arrays[episode][self._ends - 1]]
            self._check_borders(episode, counted)
        if order is not None and counted is not None and counted.dtype.kind in "iuf":
            self._check_order(order, counted)

    def _check_borders(self, episode: str, counted: np.ndarray | None) -> None:
        """Refuses an episode that goes over from one file to the next, where nothing says that it does.

        Files that hold an episode each and number it 0 would become one episode.
        """
        borders = np.cumsum(self._rows)[:-1]
        for number, border in enumerate(borders):
            goes_on = counted is not None and border < len(counted) and counted[border - 1] < counted[border]
            if border not in self._ends and 0 < border < self._ends[-1] and not goes_on:
                name = self._names[int(np.searchsorted(self._ends, border))]
                raise SourceError(
                    f"{self._source}: {episode} {name!r} is in {self._files[number].name} and in "
                    f"{self._files[number + 1].name}, and nothing says that it is one episode: number the episodes "
                    f"through all files, or name a column that counts an episode's steps with --columns order"
                )

    def _check_order(self, order: str, numbers: np.ndarray) -> None:
        """Refuses steps that do not follow each other as the column that counts them says."""
        steps = np.diff(numbers.astype(np.float64))
        inside = np.ones(len(steps), bool)
        inside[self._ends[:-1] - 1] = False
        back = np.flatnonzero(inside & (steps <= 0))
        if back.size:
            raise self._disordered(
                order, numbers, int(back[0]), "does not rise inside an episode; sort the files by it"
            )
        # A column may count in larger strides, but then always.
        stride = steps[inside].min(initial=np.inf)
        holes = np.flatnonzero(inside & (steps > stride)) if numbers.dtype.kind in "iu" else np.zeros(0, int)
        if holes.size:
            raise self._disordered(order, numbers, int(holes[0]), "has a hole, so steps are missing")

    def _disordered(self, order: str, numbers: np.ndarray, row: int, what: str) -> SourceError:
        name = self._names[int(np.searchsorted(self._ends, row, side="right"))]
        return SourceError(
            f"{self._source}: {order} {what}: {numbers[row]} is followed by {numbers[row + 1]} in episode {name!r} "
            f'(if it counts something else, --columns order "")'
        )

    @property
    def lengths(self) -> dict[str, int]:
        """Name of each episode -> its steps."""
        return dict(zip(self._names, np.diff(self._ends, prepend=0).tolist(), strict=True))

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
        for file, rows in zip(self._files, self._rows, strict=True):
            if skip >= rows:
                skip -= rows
                continue
            yield from file.rows_from(skip, columns, _ROWS)
            skip = 0

    def _whole(self, name: str) -> np.ndarray:
        path = self._paths[name]
        parts = [column(file.whole_columns([path[0]]), path) for file in self._files]
        return np.concatenate([to_numpy(part, f"{self._source}, {name!r}") for part in parts])


def notes_of_columns(files: Sequence[TableFile]) -> tuple[str, ...]:
    """Notes for columns that the first file lacks."""
    return rules.in_some_only(list(leaves(file.schema)) for file in files)


def cells(row: pyarrow.RecordBatch, paths: Mapping[str, tuple[str, ...]], names: frozenset[str], where: str) -> dict:
    """Columns of an episode that is one row: each cell is a list of T values, or one value for the whole episode."""
    columns = {name: column(row, paths[name]) for name in names}
    flat = {name: values.flatten() if is_list(values.type) else values for name, values in columns.items()}
    return {name: to_numpy(values, f"{where}, {name!r}") for name, values in flat.items()}
