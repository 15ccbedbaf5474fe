"""Texts and pictures from local disk to one task of a data directory."""

from collections.abc import Callable
from pathlib import Path

from data_pipelines.config_json import encode
from data_pipelines.importing.common.arguments import check_arguments
from data_pipelines.importing.common.formats import find_format
from data_pipelines.importing.vision_language.pictures import PictureConfig
from data_pipelines.importing.vision_language.readers import SourceOptions
from data_pipelines.importing.vision_language.registry import FORMATS
from data_pipelines.importing.vision_language.summary import ImportProgress, ImportSummary


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

    Examples:
      >>> import pathlib
      >>> from data_pipelines import import_vision_language
      >>> pathlib.Path("notes").mkdir()
      >>> for i in range(4):
      ...     _ = pathlib.Path(f"notes/{i}.txt").write_text(f"Note {i}: the robot opened the drawer.")
      >>> import_vision_language("notes", "imported", "text.notes", format="text", validation=0).counts
      {'train': 4, 'validation': 0}
    """
    chosen = find_format(format, FORMATS)
    options, pictures = options or SourceOptions(), pictures or PictureConfig()
    positive = {"chunk": chunk, "examples_per_file": examples_per_file, "threads": threads}
    check_arguments(task, validation, positive, example="captions.coco")
    reader = chosen.open(Path(source), options)
    # Everything below needs TensorFlow; a source that is wrong is told of before that is loaded.
    from data_pipelines.importing.common.task_import import UnfinishedTask, import_once
    from data_pipelines.importing.vision_language.importer import Importer, ImportSettings

    settings = ImportSettings(pictures, options.part_characters, validation, chunk, examples_per_file)
    described = {"task": task, "format": format, "source": reader.stamp, "split": options.split}
    described |= {"columns": dict(options.columns), **encode(settings)}
    if reader.kind == "text":
        del described["pictures"]
    unfinished = UnfinishedTask(Path(data), task, described)
    importer = Importer(reader, settings, unfinished, threads)
    return ImportSummary.read(unfinished.place, reused=import_once(unfinished, importer.run, progress))
