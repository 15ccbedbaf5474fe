"""The command that checks data: what is there, or a source before its import, with the options of that import."""

import dataclasses
import itertools
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, Positional

from data_pipelines.importing import check, control, vision_language
from data_pipelines.ranges import Count, Natural, ShareBelowAll
from data_pipelines.tokenizers.layout import TokenConfig
from gato_jax.cli.common import UsageError, call, show, take_option, with_new_flags
from gato_jax.cli.importing import (
    EPISODE_FORMATS,
    TEXT_IMAGE_FORMATS,
    ControlOptions,
    PictureConfig,
    SourceOptions,
    chosen_filter,
)


@dataclasses.dataclass(frozen=True)
class ExperimentLimits:
    """What of an experiment decides whether data fits it.

    Args:
      text_tokens: places of a textual observation in the experiment.
      max_observation_tokens: the experiment's table of local positions.
      window_length: places of a window of the experiment's rows.
      text_model: SentencePiece model; the data directory's own when not given.
    """

    text_tokens: Natural = TokenConfig.text_tokens
    max_observation_tokens: Count = TokenConfig.max_observation_tokens
    window_length: Count = 1024
    text_model: str = TokenConfig.text_model

    def settings(self) -> dict[str, Any]:
        """As `check.check_data` takes them."""
        tokens = TokenConfig(
            text_model=self.text_model,
            text_tokens=self.text_tokens,
            max_observation_tokens=self.max_observation_tokens,
        )
        return {"tokens": tokens, "window_length": self.window_length}


Fits = Annotated[ExperimentLimits, OmitArgPrefixes]

_IMPORTERS = {"import-data": control.FORMATS, "import-text-images": vision_language.FORMATS}


def check_data(arguments: Sequence[str]) -> None:
    """Explain every problem of a data directory, a task, or a source before its import; exit code 1 if one is an error.

    With a format it takes every option of the import of that format, so that what it advises can be tried.
    """
    importer, rest = take_option(with_new_flags(ExperimentLimits, arguments), "--importer")
    format, _ = take_option(rest, "--format")
    commands: dict[str | None, Callable[..., None]] = {
        None: _check_directory,
        "import-data": _check_episodes,
        "import-text-images": _check_text_images,
    }
    chosen = None if format is None and importer is None else _importer(importer, format or "", rest)
    call(commands[chosen], rest, "gato check-data")


def _importer(named: str | None, format: str, words: Sequence[str]) -> str:
    """The import command that a source is checked for: as named, or the one with that format."""
    if named is not None and named not in _IMPORTERS:
        raise UsageError(f"--importer is one of {', '.join(_IMPORTERS)}, found {named!r}")
    having = [name for name, formats in _IMPORTERS.items() if format in formats]
    if named is not None or not having:
        return named or "import-data"  # Which names the formats that are nearest.
    if len(having) == 1:
        return having[0]
    # Both read such files. Roles and options that only one of them has tell.
    texts = {field.name.replace("_", "-") for options in _TEXTS for field in dataclasses.fields(options)}
    texts -= {field.name.replace("_", "-") for field in dataclasses.fields(control.ControlOptions)}
    roles = set(vision_language.ROLES) - set(control.ROLES)
    columns = itertools.takewhile(lambda word: not word.startswith("--"), words[_index(words, "--columns") + 1 :])
    asked = bool({f"--{name}" for name in texts} & {word.partition("=")[0] for word in words})
    return "import-text-images" if asked or set(list(columns)[::2]) & roles else "import-data"


_TEXTS = (vision_language.SourceOptions, vision_language.PictureConfig)


def _index(words: Sequence[str], word: str) -> int:
    return words.index(word) if word in words else len(words)


def _check_directory(source: Positional[pathlib.Path], fits: Fits, episodes: Count = 64, json: bool = False) -> None:
    """Explain every problem of a data directory or one of its tasks; exit code 1 if one is an error.

    A source is checked before its import with its format, and with every option of its import:
    gato check-data SOURCE --format npz --help. Where both importers read such files, --importer import-data or
    --importer import-text-images says which is meant.

    Args:
      source: data directory, or one of its tasks.
      fits: the experiment.
      episodes: to read at most of each task, spread over it.
      json: print the report as JSON.
    """
    _tell(check.check_data(source, episodes=episodes, **fits.settings()), json)


def _check_episodes(
    source: Positional[pathlib.Path],
    format: Annotated[str, tyro.conf.arg(help=f"one of {EPISODE_FORMATS}.")],
    reading: ControlOptions,
    fits: Fits,
    data: pathlib.Path | None = None,
    filter: float | None = None,
    filter_floor: float | None = None,
    validation: ShareBelowAll = 0.0,
    episodes: Count = 64,
    json: bool = False,
) -> None:
    """Explain every problem of episodes before gato import-data, whose options it takes; exit code 1 if it has errors.

    Args:
      source: file or folder that is to be imported.
      reading: how the source is read.
      fits: the experiment.
      data: data directory that it is to be imported into; its text model measures texts.
      filter: share of the expert's return that episodes are to reach; the paper's is 0.8.
      filter_floor: return that counts as nothing, for the filter.
      validation: share of the episodes to be held out.
      episodes: to read at most, spread over the source.
      json: print the report as JSON.
    """
    report = check.check_data(
        source, format=format, options=reading, filter=chosen_filter(filter, filter_floor), validation=validation,
        data=data, episodes=episodes, **fits.settings(),
    )  # fmt: skip
    _tell(report, json)


def _check_text_images(
    source: Positional[pathlib.Path],
    format: Annotated[str, tyro.conf.arg(help=f"one of {TEXT_IMAGE_FORMATS}.")],
    reading: SourceOptions,
    pictures: PictureConfig,
    fits: Fits,
    data: pathlib.Path | None = None,
    validation: ShareBelowAll = 0.02,
    threads: Count = 2,
    items: Count = 1024,
    json: bool = False,
) -> None:
    """Explain every problem of texts or pictures before gato import-text-images, whose options it takes.

    Args:
      source: file or folder that is to be imported.
      reading: how the source is read.
      pictures: how pictures are to be stored.
      fits: the experiment.
      data: data directory that it is to be imported into; its text model is looked for.
      validation: share to be held out.
      threads: pictures prepared side by side.
      items: to read at most, spread over the source.
      json: print the report as JSON.
    """
    report = check.check_data(
        source, format=format, options=reading, pictures=pictures, validation=validation, data=data, episodes=items,
        threads=threads, **fits.settings(),
    )  # fmt: skip
    _tell(report, json)


def _tell(report: check.CheckReport, json: bool) -> None:
    show(report.to_dict(), report.text(), json)
    if report.errors:
        sys.exit(1)
