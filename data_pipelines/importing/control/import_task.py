"""Episodes from local disk, or from a user's own environments, to one control task of a data directory."""

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.importing.common.arguments import check_arguments
from data_pipelines.importing.control.conventions import chosen_layout
from data_pipelines.importing.control.filtering import FilterConfig
from data_pipelines.importing.control.formats.registry import open_source
from data_pipelines.importing.control.options import ControlOptions
from data_pipelines.importing.control.summary import ControlProgress, ControlSummary
from data_pipelines.importing.control.worlds import open_world_of

_EXAMPLE = "dm_control.walker_walk"


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
      ValueError: bad options; `WorldError`: what is wrong with the world that they name.

    Examples:
      >>> import pathlib
      >>> import numpy as np
      >>> from data_pipelines import import_data
      >>> pathlib.Path("episodes").mkdir()
      >>> for i in range(2):
      ...     episode = {"observation": np.eye(3, 2), "action": np.zeros((2, 1)), "reward": np.ones(2)}
      ...     np.savez(f"episodes/{i}.npz", **episode)
      >>> summary = import_data("episodes", "imported", "mine.eye", format="npz")
      >>> summary.counts, summary.steps
      ({'train': 2, 'validation': 0}, 4)
    """
    options = options or ControlOptions()
    check_arguments(task, validation, {"chunk": chunk, "episodes_per_file": episodes_per_file}, example=_EXAMPLE)
    reader = open_source(source, format, options)
    layout = chosen_layout(reader.layout, reader.columns, options)
    options = dataclasses.replace(options, channels=layout.channels)
    world = open_world_of(options, task)
    # Everything below needs TensorFlow; a source that is wrong is told of before that is loaded.
    from data_pipelines.importing.common.task_import import UnfinishedTask, import_once
    from data_pipelines.importing.control.importer import ControlImporter, ControlSettings

    settings = ControlSettings(filter, validation, chunk, episodes_per_file)
    described = {"task": task, "format": format, "source": reader.stamp}
    if world is not None:
        described["world"] = encode(world.world)
    described |= {"options": options.to_json(), "layout": layout.to_json(), **encode(settings)}
    unfinished = UnfinishedTask(Path(data), task, described)
    importer = ControlImporter(reader, layout, options, settings, unfinished, world)
    return ControlSummary.read(unfinished.place, reused=import_once(unfinished, importer.run, progress))


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
        [N, ...], "reward" [N], and, if known, "terminal", "id" and "agent" (`ControlOptions.agent` = "agent" keeps
        that). They are consumed once, and kept as npz files beside the data until the import is done.
      data: as in `import_data`.
      task: as in `import_data`.
      options: as in `import_data`.
      **settings: further arguments of `import_data`.

    Raises:
      ValueError: an episode lacks something; further errors are those of `import_data`.

    Examples:
      >>> import gymnasium
      >>> from data_pipelines import import_episodes, record_gymnasium
      >>> env = gymnasium.make("CartPole-v1")
      >>> episodes = record_gymnasium(env, lambda observation: int(observation[2] > 0), episodes=2)
      >>> import_episodes(episodes, "imported", "gymnasium.cart_pole").counts
      {'train': 2, 'validation': 0}
    """
    from data_pipelines.importing.control.formats.npz import write_episodes
    from data_pipelines.storage import data_directory

    check_arguments(task, settings.get("validation", 0.0), {}, example=_EXAMPLE)
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
