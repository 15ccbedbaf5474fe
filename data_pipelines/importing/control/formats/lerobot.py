"""LeRobot data sets on disk, versions 2 and 3: parquet steps, with instructions. No TensorFlow, no video decoding."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.source_files import file_stamp
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

    Args:
      source: the data set's folder.
      options: `videos`.

    Raises:
      SourceError: not that layout; cameras stored as video, unless they are to be left out.
    """

    spec = SourceSpec()

    def __init__(self, source: Path, options: ControlOptions):
        info = _info(source)
        files = sorted((source / "data").rglob("*.parquet"))
        if not files:
            raise SourceError(f"{source / 'data'}: expected parquet files, found none")
        self.stamp: Mapping[str, Any] = file_stamp(source, files)
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
        self._steps = StepRows(files, source, dataclasses.replace(options, columns={**usual, **options.columns}))
        declared = int(info.get("total_episodes", len(self._steps)))
        if declared != len(self._steps):
            raise SourceError(f"{source}: meta/info.json declares {declared} episodes, found {len(self._steps)}")
        self._tasks = _tasks(source) if _TASK in self._steps.columns else {}
        self.columns = (*self._steps.columns, *([_INSTRUCTION] if self._tasks else []))
        layout = flat.usual_layout(self._steps.columns, options)
        if self._tasks:
            layout = dataclasses.replace(layout, observation={**layout.observation, _INSTRUCTION: _INSTRUCTION})
        self.layout, self.notes = layout, tuple(notes)

    def __len__(self) -> int:
        return len(self._steps)

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        instructed = _INSTRUCTION in columns and bool(self._tasks)
        wanted = columns - {_INSTRUCTION} | {_TASK} if instructed else columns
        for raw in self._steps.episodes(start, wanted):
            if not instructed:
                yield raw
                continue
            numbers = raw.columns[_TASK].tolist()
            if unknown := sorted(set(numbers) - set(self._tasks)):
                raise SourceError(f"episode {raw.id!r}: tasks {unknown} are not in meta, found {sorted(self._tasks)}")
            texts = objects([self._tasks[number] for number in numbers])
            yield dataclasses.replace(raw, columns={**raw.columns, _INSTRUCTION: texts})


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
            found = pyarrow.parquet.read_table(table).to_pydict()
            texts = found.get("task", found.get("__index_level_0__"))
            if texts is None:
                raise KeyError(f"task among {sorted(found)}")
            return {int(number): str(text) for number, text in zip(found[_TASK], texts, strict=True)}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceError(f"{lines if lines.is_file() else table}: expected numbered tasks, found: {error}") from error
    return {}
