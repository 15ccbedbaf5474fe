"""Importing texts, captions, picture questions and interleaved documents from local disk."""

import dataclasses
import difflib
import errno
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.importing.common.errors import ImportingError, SourceError
from data_pipelines.importing.vision_language.pictures import Encoding, Fit, PictureConfig
from data_pipelines.importing.vision_language.readers import Reader, SourceOptions
from data_pipelines.importing.vision_language.registry import FORMATS, Format
from data_pipelines.importing.vision_language.summary import ImportProgress, ImportSummary

__all__ = [
    "FORMATS",
    "Encoding",
    "Fit",
    "Format",
    "ImportProgress",
    "ImportSummary",
    "ImportingError",
    "PictureConfig",
    "Reader",
    "SourceError",
    "SourceOptions",
    "import_vision_language",
]


def import_vision_language(
    source: str | Path,
    data: str | Path,
    task: str,
    *,
    format: str,
    options: SourceOptions | None = None,
    pictures: PictureConfig | None = None,
    validation: float = 0.02,
    chunk: int = 4096,
    examples_per_file: int = 512,
    threads: int = 2,
    progress: Callable[[ImportProgress], None] | None = None,
) -> ImportSummary:
    """Imports a source from local disk as one task of a data directory; nothing is ever downloaded.

    Run again after an interrupt, it goes on after the last whole chunk; a task that is there with equal settings is
    reused.

    Args:
      source: file or folder, as the format wants it.
      data: data directory; new, empty, or one that recording or importing wrote.
      task: name of the task, "domain.name", such as "captions.coco".
      format: a key of `FORMATS`.
      options: where the source keeps its parts.
      pictures: how pictures are stored.
      validation: share of the items held out as split "validation", by a hash of their ids, in [0, 1).
      chunk: items per chunk: what an interrupt can cost.
      examples_per_file: shard size.
      threads: pictures prepared side by side. The data does not depend on it.
      progress: called after every batch of items; None shows it on stderr.

    Raises:
      SourceError: the source is not in that layout.
      ImportingError: no item of it could be used.
      RecordingError: the data directory is of another kind, busy, or holds the task with other settings.
      ValueError: bad options.
    """
    chosen = _format(format)
    options, pictures = options or SourceOptions(), pictures or PictureConfig()
    _check(task, validation, {"chunk": chunk, "examples_per_file": examples_per_file, "threads": threads})
    reader = chosen.open(Path(source), options)
    # Everything below needs TensorFlow; a source that is wrong is told of before that is loaded.
    from data_pipelines.importing.vision_language.importer import Importer, ImportSettings
    from data_pipelines.recording.progress import ConsoleProgress
    from data_pipelines.storage import data_directory

    out, console = Path(data), ConsoleProgress()
    settings = ImportSettings(pictures, options.part_characters, validation, chunk, examples_per_file)
    described = {"task": task, "format": format, "source": reader.stamp, "split": options.split}
    described |= {"columns": dict(options.columns), **_plain(settings)}
    if reader.kind == "text":
        del described["pictures"]
    try:
        data_directory.claim(out)
        with data_directory.lock(out):
            reused = data_directory.is_complete(out, task, described)
            if reused:
                record = json.loads((out / task / data_directory.RECORDING_FILE).read_text())
            else:
                record = Importer(reader, task, out, settings, described, threads, progress or console).run()
            spec = json.loads((out / task / data_directory.SPEC_FILE).read_text())
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ImportingError(f"disk full while importing into {out}: free some space and run again") from error
        raise
    finally:
        console.close()
    return ImportSummary(
        task=task,
        kind=reader.kind,
        reused=reused,
        counts=record["counts"],
        skipped=record["rejected_because"],
        dropped_pictures=record["dropped_pictures"],
        pictures=record["pictures"],
        image_patches=tuple(spec["image_patches"]) if "image_patches" in spec else None,
        seconds=record["seconds"],
    )


def _format(name: str) -> Format:
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=3) or sorted(FORMATS)
        raise ValueError(f"no import format {name!r}; nearest: {near}")
    return FORMATS[name]


def _check(task: str, validation: float, positive: Mapping[str, int]) -> None:
    domain, _, rest = task.partition(".")
    if not domain or not rest or "/" in task or task != task.strip("."):
        raise ValueError(f"a task is named 'domain.name', such as 'captions.coco', found {task!r}")
    if not 0 <= validation < 1:
        raise ValueError(f"validation must lie in [0, 1), found {validation}")
    for name, value in positive.items():
        if value < 1:
            raise ValueError(f"{name} must be positive, found {value}")


def _plain(settings: Any) -> dict[str, Any]:
    """A dataclass as JSON holds it."""
    return json.loads(json.dumps(dataclasses.asdict(settings), default=lambda value: value.value))
