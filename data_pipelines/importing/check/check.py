"""The check of a source in any import format, of a task that was recorded or imported, or of a whole data directory.

It reads specs, the framing of every file, and a sample of the episodes or items.
"""

import dataclasses
from pathlib import Path

from data_pipelines.importing.check import control, text_images
from data_pipelines.importing.check.report import CheckReport, Limits
from data_pipelines.importing.common.arguments import check_arguments
from data_pipelines.importing.control import FORMATS, ControlOptions, FilterConfig
from data_pipelines.importing.vision_language import FORMATS as TEXT_IMAGE_FORMATS
from data_pipelines.importing.vision_language import PictureConfig, SourceOptions
from data_pipelines.storage.data_directory import FORMAT_FILE
from data_pipelines.storage.recorded_tasks import SPEC, recorded_tasks
from data_pipelines.tokenizers.layout import TokenConfig


def check_data(
    source: str | Path,
    *,
    format: str | None = None,
    options: ControlOptions | SourceOptions | None = None,
    pictures: PictureConfig | None = None,
    filter: FilterConfig | None = None,
    validation: float = 0.0,
    data: str | Path | None = None,
    tokens: TokenConfig | None = None,
    window_length: int = 1024,
    episodes: int = 64,
    threads: int = 2,
) -> CheckReport:
    """Checks a source before its import, or a data directory, or one task of it.

    Args:
      source: what to check.
      format: of a source, as for `import_data` or `import_vision_language`; None for a data directory or a task of one.
      options: how a source is read. `SourceOptions` say that it is one of texts or pictures where both importers have a
        format of that name (parquet); otherwise it is one of episodes.
      pictures: how pictures of a source of texts or pictures are to be stored.
      filter: that is to be applied to episodes; None keeps all.
      validation: share that is to be held out.
      data: data directory that it is to be imported into; its text model measures texts.
      tokens: settings of the tokens that the data is to become.
      window_length: places of a window, which must hold a timestep, or a picture and some text.
      episodes: episodes or items to read at most, in blocks spread over the source.
      threads: pictures prepared side by side.

    Raises:
      ValueError: the format is not known, or `source` is no data directory and no format is given.
    """
    path = Path(source)
    check_arguments("check.source", validation, {"episodes": episodes, "threads": threads}, example="")
    limits = Limits(tokens or TokenConfig(), window_length, episodes, None if data is None else Path(data))
    if format is not None:
        formats = {**FORMATS, **TEXT_IMAGE_FORMATS}
        if format not in formats:
            raise ValueError(f"no import format {format!r}, expected one of {sorted(formats)}")
        if isinstance(options, SourceOptions) or (options is None and format not in FORMATS):
            settings = pictures or PictureConfig()
            report = text_images.check_source(
                path, format, options or SourceOptions(), settings, limits, validation=validation, threads=threads
            )
        else:
            report = control.check_source(path, format, options or ControlOptions(), limits, filter)
            if format in TEXT_IMAGE_FORMATS and not report.sampled:
                hint = "if these are texts or pictures, --importer import-text-images"
                report = dataclasses.replace(
                    report, problems=tuple(dataclasses.replace(one, fix=one.fix or hint) for one in report.problems)
                )
        return CheckReport((report,))
    if (path / SPEC).is_file():
        directory, names = path.parent, [path.name]
    elif (path / FORMAT_FILE).is_file() or (path.is_dir() and recorded_tasks(path)):
        directory, names = path, recorded_tasks(path)
    else:
        raise ValueError(
            f"{path}: expected a data directory ({FORMAT_FILE}) or a task of one ({SPEC}); for a source that is to be "
            f"imported give its format, one of {sorted({*FORMATS, *TEXT_IMAGE_FORMATS})}"
        )
    return CheckReport(tuple(control.check_task(directory, name, limits) for name in names))
