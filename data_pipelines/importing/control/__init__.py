"""Importing control episodes from local disk, or from a user's own environments."""

import dataclasses
import difflib
import errno
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.importing.common.errors import ImportingError, SourceError
from data_pipelines.importing.control.conventions import chosen_layout
from data_pipelines.importing.control.episodes import ControlReader, RawEpisode
from data_pipelines.importing.control.filtering import FilterConfig, expert_return, select
from data_pipelines.importing.control.formats.registry import FORMATS, Format
from data_pipelines.importing.control.options import (
    ActionRange,
    BadEpisodes,
    Channels,
    ControlOptions,
    Float64,
    LastStep,
    Rewards,
    Videos,
    control_options,
)
from data_pipelines.importing.control.rollouts import record_dm_env, record_gymnasium
from data_pipelines.importing.control.summary import ControlProgress, ControlSummary

__all__ = [
    "FORMATS",
    "ActionRange",
    "BadEpisodes",
    "Channels",
    "ControlOptions",
    "ControlProgress",
    "ControlReader",
    "ControlSummary",
    "FilterConfig",
    "Float64",
    "Format",
    "ImportingError",
    "LastStep",
    "RawEpisode",
    "Rewards",
    "SourceError",
    "Videos",
    "control_options",
    "expert_return",
    "import_data",
    "import_episodes",
    "open_source",
    "record_dm_env",
    "record_gymnasium",
    "select",
]


def open_source(source: str | Path, format: str, options: ControlOptions) -> ControlReader:
    """A reader of a source.

    Raises:
      ValueError: no such format.
      SourceError: the source is not in that layout.
    """
    if format not in FORMATS:
        near = difflib.get_close_matches(format, FORMATS, n=3) or sorted(FORMATS)
        raise ValueError(f"no import format {format!r}; nearest: {near}")
    path = Path(source)
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    return FORMATS[format].open(path, options)


def import_data(
    source: str | Path,
    data: str | Path,
    task: str,
    *,
    format: str,
    options: ControlOptions | None = None,
    filter: FilterConfig | None = None,
    validation: float = 0.0,
    chunk: int = 256,
    episodes_per_file: int = 64,
    progress: Callable[[ControlProgress], None] | None = None,
) -> ControlSummary:
    """Imports episodes from local disk as one control task of a data directory; nothing is ever downloaded.

    The source is read twice: for ranges and returns, without decoding pictures, and to be written. Run again after an
    interrupt, the import goes on after the last whole chunk; a task that is there with equal settings is reused.

    Args:
      source: file or folder, as the format wants it.
      data: data directory; new, empty, or one that recording or importing wrote.
      task: name of the task, "domain.name".
      format: a key of `FORMATS`.
      options: how the source is read.
      filter: keeps episodes that reach a share of the expert's return; None keeps all.
      validation: share of the episodes held out as split "validation", by a hash of their ids, in [0, 1).
      chunk: episodes per chunk: what an interrupt can cost.
      episodes_per_file: shard size.
      progress: called after every few episodes; None shows it on stderr.

    Raises:
      SourceError: the source is not in that layout.
      ImportingError: the episodes cannot be imported; every reason is named, with what would help.
      RecordingError: the data directory is of another kind, busy, or holds the task with other settings.
      ValueError: bad options.
    """
    options = options or ControlOptions()
    check_arguments(task, validation, {"chunk": chunk, "episodes_per_file": episodes_per_file})
    reader = open_source(source, format, options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    options = dataclasses.replace(options, channels=layout.channels)
    # Everything below needs TensorFlow; a source that is wrong is told of before that is loaded.
    from data_pipelines.importing.control.importer import ControlImporter, ControlSettings
    from data_pipelines.recording.progress import ConsoleProgress
    from data_pipelines.storage import data_directory

    out, console = Path(data), ConsoleProgress()
    settings = ControlSettings(filter, validation, chunk, episodes_per_file)
    described = {"task": task, "format": format, "source": reader.stamp}
    described |= {"options": _described(options), "layout": plain(layout), **plain(settings)}
    try:
        data_directory.claim(out)
        with data_directory.lock(out):
            reused = data_directory.is_complete(out, task, described)
            if not reused:
                report = progress or console
                ControlImporter(reader, layout, options, task, out, settings, described, report).run()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ImportingError(f"disk full while importing into {out}: free some space and run again") from error
        raise
    finally:
        console.close()
    return _summary(out / task, task, reused)


def import_episodes(
    episodes: Iterable[Mapping[str, Any]],
    data: str | Path,
    task: str,
    *,
    options: ControlOptions | None = None,
    **settings: Any,
) -> ControlSummary:
    """Imports episodes that a program makes, such as `record_gymnasium` does.

    Args:
      episodes: dictionaries with "observation" (an array [N + 1, ...], or a nested dictionary of them), "action"
        [N, ...], "reward" [N], and, if known, "terminal" and "id". They are consumed once, and kept as npz files
        beside the data until the import is done.
      data, task: as in `import_data`.
      options: as in `import_data`.
      **settings: further arguments of `import_data`.

    Raises:
      What `import_data` raises; `ValueError` when an episode lacks something.
    """
    from data_pipelines.importing.control.formats.npz import write_episodes
    from data_pipelines.storage import data_directory

    check_arguments(task, settings.get("validation", 0.0), {})
    out = Path(data)
    data_directory.claim(out)
    if (out / task).exists():
        raise data_directory.RecordingError(
            f"task {task!r} is there already: choose another name, or delete {out / task}"
        )
    spool = out / f".episodes-{task}"
    shutil.rmtree(spool, ignore_errors=True)
    try:
        write_episodes(episodes, spool)
        return import_data(spool, out, task, format="npz", options=options, **settings)
    finally:
        shutil.rmtree(spool, ignore_errors=True)


def check_arguments(task: str, validation: float, positive: Mapping[str, int]) -> None:
    """Raises `ValueError` naming what is wrong."""
    domain, _, rest = task.partition(".")
    if not domain or not rest or "/" in task or task != task.strip("."):
        raise ValueError(f"a task is named 'domain.name', such as 'dm_control.walker_walk', found {task!r}")
    if not 0 <= validation < 1:
        raise ValueError(f"validation must lie in [0, 1), found {validation}")
    for name, value in positive.items():
        if value < 1:
            raise ValueError(f"{name} must be positive, found {value}")


def plain(settings: Any) -> dict[str, Any]:
    """A dataclass as JSON holds it."""
    return json.loads(json.dumps(dataclasses.asdict(settings), default=lambda value: value.value))


def _described(options: ControlOptions) -> dict[str, Any]:
    """Options as JSON. A frame size only where there is one: tasks that were imported before it was an option go on."""
    return {key: value for key, value in plain(options).items() if key != "frame_size" or value}


def _summary(directory: Path, task: str, reused: bool) -> ControlSummary:
    from data_pipelines.spec import Kind, TaskSpec
    from data_pipelines.storage.data_directory import RECORDING_FILE, SPEC_FILE

    record = json.loads((directory / RECORDING_FILE).read_text())
    spec = TaskSpec.from_json((directory / SPEC_FILE).read_text())
    if spec.action.kind is Kind.CONTINUOUS:
        action = f"{spec.action.size} in [{spec.action.low:.6g}, {spec.action.high:.6g}], {record['action_range']}"
    else:
        action = f"{spec.action.size} of {spec.action.num_values} values"
    observation = {
        item.key: f"{item.kind.value} {list(item.shape)}"
        + (f" of {item.num_values} values" if item.kind is Kind.DISCRETE else "")
        for item in spec.observation
    }
    return ControlSummary(
        task=task,
        reused=reused,
        counts=record["counts"],
        steps=record["steps"],
        skipped=record["rejected_because"],
        filter=record["filter"],
        clipped=record["clipped"],
        action=action,
        observation=observation,
        notes=tuple(record["notes"]),
        seconds=record["seconds"],
    )
