"""LeRobot data sets on disk, versions 2 and 3: parquet steps, with instructions. No TensorFlow, no video decoding."""

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.importing.common import rules
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.parquet_rows import opened, whole_columns
from data_pipelines.importing.common.source_files import SourceStamp, file_stamp, named, refuse_pointers
from data_pipelines.importing.common.table_files import ParquetTable
from data_pipelines.importing.control.episodes import RawEpisode, SourceSpec, objects
from data_pipelines.importing.control.formats import flat
from data_pipelines.importing.control.formats.tables import StepRows
from data_pipelines.importing.control.options import ControlOptions, Videos

_INSTRUCTION = "instruction"
_TASK = "task_index"


class LeRobotFolder:
    """`meta/info.json`, `data/chunk-*/*.parquet`, and `meta/tasks.jsonl` (v2) or `meta/tasks.parquet` (v3).

    Columns "observation.<key>" become keys; the task's text becomes the key "instruction". Pictures inside parquet are
    read; cameras stored as video are not decoded: `videos` says whether that stops the import or leaves them out.
    Episodes, frames, tasks, lengths and widths are compared with what meta/ declares.

    Args:
      source: the data set's folder.
      options: `videos`; `split`, which info.json gives as ranges of episodes.

    Raises:
      SourceError: not that layout, or not what it declares; no such split; cameras stored as video, unless they are to
        be left out.
    """

    spec = SourceSpec()

    def __init__(self, source: Path, options: ControlOptions):
        refuse_pointers(sorted((source / "meta").rglob("*")))
        self._about, info = str(source / "meta" / "info.json"), _info(source)
        files = sorted((source / "data").rglob("*.parquet"))
        if not files:
            raise SourceError(f"{source / 'data'}: expected parquet files, found none")
        described = sorted(path for path in (source / "meta").rglob("*") if path.is_file())
        self.stamp: Mapping[str, Any] = SourceStamp(file_stamp(source, files), named(source, [*files, *described]))
        cameras = sorted(name for name, feature in info["features"].items() if feature.get("dtype") == "video")
        notes = [f"lerobot {info.get('codebase_version', '')}".strip()]
        if cameras and options.videos is Videos.REFUSE:
            raise SourceError(
                f"{source}: cameras {cameras} are stored as video, which is not decoded. Leave them out with "
                f"--videos leave-out, or convert the data set to pictures inside its parquet files"
            )
        if cameras:
            notes.append(f"cameras stored as video are left out: {', '.join(cameras)}")
        # `index` counts the frames of the whole data set; `frame_index` those of an episode.
        usual = {"episode": "episode_index", "order": "frame_index"}
        tables = [ParquetTable(path) for path in files]
        rules.check_declared(self._about, "frames", info.get("total_frames"), sum(map(len, tables)))
        self._steps = StepRows(tables, source, dataclasses.replace(options, columns={**usual, **options.columns}))
        rules.check_declared(self._about, "episodes", info.get("total_episodes"), len(self._steps))
        self._check_lengths(source)
        self._ranges = _ranges(self._about, info.get("splits") or {}, len(self._steps))
        self.splits = tuple(self._ranges)
        self._range = self._ranges.get(options.split, range(len(self._steps)))
        self._sizes = _sizes(info["features"])
        self._tasks = _tasks(source) if _TASK in self._steps.columns else {}
        if self._tasks:
            rules.check_declared(self._about, "tasks", info.get("total_tasks"), len(self._tasks))
        self.columns = (*self._steps.columns, *([_INSTRUCTION] if self._tasks else []))
        layout = flat.usual_layout(self._steps.columns, options)
        if self._tasks:
            layout = dataclasses.replace(layout, observation={**layout.observation, _INSTRUCTION: _INSTRUCTION})
        self.layout, self.notes = layout, tuple(notes)

    def __len__(self) -> int:
        return len(self._range)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        instructed = _INSTRUCTION in columns and bool(self._tasks)
        step_columns = columns - {_INSTRUCTION} | {_TASK} if instructed else columns
        chosen = self._range[start:]
        for raw in itertools.islice(self._steps.episodes(chosen.start, step_columns), len(chosen)):
            self._check_sizes(raw)
            if not instructed:
                yield raw
                continue
            numbers = raw.columns[_TASK].tolist()
            if unknown := sorted(set(numbers) - set(self._tasks)):
                raise SourceError(f"episode {raw.id!r}: tasks {unknown} are not in meta, found {sorted(self._tasks)}")
            texts = objects([self._tasks[number] for number in numbers])
            yield dataclasses.replace(raw, columns={**raw.columns, _INSTRUCTION: texts})

    def _check_lengths(self, source: Path) -> None:
        where, lengths = _lengths(source)
        if not lengths:
            return
        rules.check_declared(where, "episodes", len(lengths), len(self._steps))
        for name, length in self._steps.lengths.items():
            rules.check_declared(where, f"frames of episode {name}", lengths.get(name, 0), length)

    def _check_sizes(self, raw: RawEpisode) -> None:
        for name, values in raw.columns.items():
            if values.dtype != object and name in self._sizes:
                what = f"values of {name!r} in a step (episode {raw.id!r})"
                rules.check_declared(self._about, what, self._sizes[name], math.prod(values.shape[1:]))


def _ranges(where: str, splits: Mapping[str, str], episodes: int) -> dict[str, range]:
    """Name -> episodes of each split, as "first:behind the last"."""
    ranges: dict[str, range] = {}
    for name, text in splits.items():
        match = re.fullmatch(r"(\d+):(\d+)", str(text))
        if match is None or not int(match[1]) <= int(match[2]) <= episodes:
            raise SourceError(
                f"{where}: expected split {name!r} as FIRST:END within {episodes} episodes, found {text!r}"
            )
        ranges[str(name)] = range(int(match[1]), int(match[2]))
    return ranges


def _sizes(features: Mapping[str, Any]) -> dict[str, int]:
    """Column -> declared numbers in a step; pictures and texts have other shapes on disk."""
    return {
        name: math.prod(feature["shape"])
        for name, feature in features.items()
        if feature.get("shape") and feature.get("dtype") not in ("image", "video", "string")
    }


def _lengths(source: Path) -> tuple[str, dict[str, int]]:
    """The file or folder that declares how long each episode is, and its lengths; empty where there is none."""
    lines, tables = source / "meta" / "episodes.jsonl", source / "meta" / "episodes"
    try:
        if lines.is_file():
            rows = [json.loads(line) for line in lines.read_text().splitlines() if line.strip()]
            return str(lines), {str(int(row["episode_index"])): int(row["length"]) for row in rows}
        lengths: dict[str, int] = {}
        for path in sorted(tables.rglob("*.parquet")):
            table = whole_columns(path, ["episode_index", "length"]).to_pydict()
            lengths |= {str(name): int(size) for name, size in zip(*table.values(), strict=True)}
        return str(tables), lengths
    except (ValueError, LookupError, TypeError) as error:
        where = lines if lines.is_file() else tables
        raise SourceError(f"{where}: expected episode_index and length of each episode, found: {error}") from error


def _info(source: Path) -> dict[str, Any]:
    path = source / "meta" / "info.json"
    try:
        info = json.loads(path.read_text())
        if not isinstance(info["features"], dict):
            raise TypeError("features is no object")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SourceError(f"{path}: expected LeRobot's description with features, found: {error}") from error
    return info


def _tasks(source: Path) -> dict[int, str]:
    """Number -> instruction; empty where there are none."""
    lines, table = source / "meta" / "tasks.jsonl", source / "meta" / "tasks.parquet"
    try:
        if lines.is_file():
            rows = [json.loads(line) for line in lines.read_text().splitlines() if line.strip()]
            return {int(row[_TASK]): str(row["task"]) for row in rows}
        if table.is_file():
            # Version 3 keeps the text as the table's index, under pandas' name of an index without one.
            with opened(table) as file:
                names = file.schema_arrow.names
            columns = whole_columns(table, names).to_pydict()
            texts = columns.get("task", columns.get("__index_level_0__"))
            if texts is None:
                raise KeyError(f"task among {sorted(columns)}")
            return {int(number): str(text) for number, text in zip(columns[_TASK], texts, strict=True)}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceError(f"{lines if lines.is_file() else table}: expected numbered tasks, found: {error}") from error
    return {}
