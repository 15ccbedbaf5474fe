"""Hugging Face's rows, in parquet or Arrow: a row for each step or each episode, and JAT's episodes. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.importing.common import arrow_folders
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.source_files import file_stamp, parquet_files
from data_pipelines.importing.common.table_files import ParquetTable, TableFile
from data_pipelines.importing.control.episodes import Layout, RawEpisode, SourceSpec
from data_pipelines.importing.control.formats import flat, minari
from data_pipelines.importing.control.formats.tables import (
    StepRows,
    cells,
    class_labels,
    is_list,
    leaves,
    notes_of_columns,
)
from data_pipelines.importing.control.options import Channels, ControlOptions

_JAT_KEYS = ("text", "image", "discrete", "continuous")
"""JAT's columns are "<key>_observations"."""


class ParquetEpisodes:
    """Parquet files whose columns are named as usual (`flat.NAMES`) or by the options.

    A row is a step where a column numbers episodes or flags their ends, and an episode where actions are lists of
    actions.

    Args:
      source: a file, or a folder of them.
      options: `split` chooses files by their names, if any have one.

    Raises:
      SourceError: no such files or columns.
    """

    _said: tuple[str, ...] = ()

    def __init__(self, source: Path, options: ControlOptions):
        self._source, self._files = source, self._open(source, options.split)
        schema = self._files[0].schema
        self._paths = leaves(schema)
        self.notes = (*self._said, *notes_of_columns(self._files))
        self.columns = tuple(self._paths)
        self.layout = self._layout(schema, options)
        self.spec = SourceSpec(num_values=_labels(class_labels(schema), self.layout))
        self._steps: StepRows | None = None
        if not self._is_row_an_episode(schema, options):
            self._steps = StepRows(self._files, source, options)
        self._rows = [len(file) for file in self._files]

    def __len__(self) -> int:
        return sum(self._rows) if self._steps is None else len(self._steps)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        if self._steps is not None:
            yield from self._steps.episodes(start, columns)
            return
        file_columns = sorted({self._paths[name][0] for name in columns})
        number = 0
        for file, rows in zip(self._files, self._rows, strict=True):
            if start >= number + rows:
                number += rows
                continue
            first = max(0, start - number)
            for index, batch in enumerate(file.rows_from(first, file_columns, 1), number + first):
                yield RawEpisode(str(index), cells(batch, self._paths, columns, f"{file.name}, row {index}"))
            number += rows

    def _open(self, source: Path, split: str) -> Sequence[TableFile]:
        """The files, with `splits` and `stamp`. A folder of `save_to_disk` is read by any format of rows."""
        minari.refuse_other_storages(source)
        if arrow_folders.is_folder(source):
            return [self._open_arrow(source, split)]
        files = parquet_files(source, split)
        self.splits: tuple[str, ...] = (split,)  # Files of that split are there.
        self.stamp: Mapping[str, Any] = file_stamp(source if source.is_dir() else source.parent, files)
        return [ParquetTable(path) for path in files]

    def _open_arrow(self, source: Path, split: str) -> TableFile:
        table, self.splits = arrow_folders.open_folder(source, split)
        self.stamp = file_stamp(source, table.files)
        return table

    def _layout(self, schema: Any, options: ControlOptions) -> Layout:
        return flat.usual_layout(self.columns, options)

    def _is_row_an_episode(self, schema: Any, options: ControlOptions) -> bool:
        if flat.find("episode", self.columns, options) is not None:
            return False
        action = (*options.action, *self.layout.action)
        if not action or action[0] not in self._paths:
            return False
        path = self._paths[action[0]]
        kind = schema.field(path[0]).type
        for name in path[1:]:
            kind = kind.field(name).type
        flags = [flat.find(role, self.columns, options) for role in ("terminated", "truncated", "reward")]
        listed = [is_list(schema.field(self._paths[name][0]).type) for name in flags if name is not None]
        return is_list(kind) and (is_list(kind.value_type) or any(listed))


class ArrowEpisodes(ParquetEpisodes):
    """A folder as Hugging Face's `save_to_disk` leaves it, read through `datasets`; else as parquet files.

    Raises:
      SourceError: `datasets` is not installed; not such a folder; what `ParquetEpisodes` refuses.
    """

    def _open(self, source: Path, split: str) -> Sequence[TableFile]:
        minari.refuse_other_storages(source)
        return [self._open_arrow(source, split)]


class JatEpisodes(ParquetEpisodes):
    """The JAT data set: a row for each episode, without the observation behind the last action.

    Atari's frames are four stacked gray ones, of which the newest is taken.
    """

    _said = ("jat: of four stacked gray frames the newest is taken", "jat: the last observation is not in the data")

    def _layout(self, schema: Any, options: ControlOptions) -> Layout:
        observation = {key: f"{key}_observations" for key in _JAT_KEYS if f"{key}_observations" in self.columns}
        actions = [name for name in ("continuous_actions", "discrete_actions") if name in self.columns]
        # Some releases carry every column, and nulls where a task has none of a kind.
        empty = self._empty({*observation.values(), *actions})
        observation = {key: name for key, name in observation.items() if name not in empty}
        actions = [name for name in actions if name not in empty]
        if not observation or len(actions) != 1:
            raise SourceError(
                f"{self._source}: expected JAT's columns, <kind>_observations and one of continuous_actions and "
                f"discrete_actions, found {list(self.columns)}"
            )
        reward = "rewards" if "rewards" in self.columns else None
        return Layout(observation, (actions[0],), reward, channels=Channels.NEWEST)

    def _is_row_an_episode(self, schema: Any, options: ControlOptions) -> bool:
        return True

    def _empty(self, names: set[str]) -> set[str]:
        first = next(self._files[0].rows_from(0, sorted(names), 1), None)
        return set() if first is None else {name for name in names if first.column(name).null_count}


def _labels(labels: Mapping[str, int], layout: Layout) -> dict[str, int]:
    """Key of ours, or "action" -> number of values, of columns that are class labels."""
    named = {**layout.observation, **({"action": layout.action[0]} if len(layout.action) == 1 else {})}
    return {key: labels[name] for key, name in named.items() if name in labels}
