"""Commands that import data from disk. Their options are the importers' dataclasses."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import tyro
from tyro.conf import EnumChoicesFromValues, OmitArgPrefixes, Positional

from data_pipelines.importing import control, vision_language
from data_pipelines.importing.control.options import FrameSizes, Kinds, frame_sizes, kinds
from data_pipelines.ranges import Count, ShareBelowAll
from gato_jax.cli.common import DATA, REGISTRY, UsageError, show

T = TypeVar("T")


class OptionError(RuntimeError):
    """An option's value that its dataclass refuses; no `ValueError`, which tyro would put into a frame."""


def _told(convert: Callable[..., T]) -> Callable[..., T]:
    """The function, whose refusals reach the user as they are worded."""

    def converted(*arguments: Any) -> T:
        try:
            return convert(*arguments)
        except ValueError as error:
            raise OptionError(str(error)) from error

    return converted


def _asked(options: Any) -> Any:
    """The same dataclass, whose refusals reach the user as they are worded."""
    own = {"__doc__": options.__doc__, "__post_init__": _told(options.__post_init__)}
    return type(options.__name__, (options,), own)


def _flags(options: type) -> tuple[Any, ...]:
    """Makes each field of a dataclass an option of a command, with the words of its enums."""
    return OmitArgPrefixes, EnumChoicesFromValues, tyro.conf.arg(constructor=_asked(options))


ControlOptions = Annotated[control.ControlOptions, *_flags(control.ControlOptions)]
SourceOptions = Annotated[vision_language.SourceOptions, *_flags(vision_language.SourceOptions)]
PictureConfig = Annotated[vision_language.PictureConfig, *_flags(vision_language.PictureConfig)]

EPISODE_FORMATS = ", ".join(control.FORMATS)
TEXT_IMAGE_FORMATS = ", ".join(vision_language.FORMATS)

_WORDS: dict[Any, tuple[str, Callable[[Sequence[str]], Any]]] = {
    FrameSizes: ("[STR [STR ...]]", frame_sizes),
    Kinds: ("[STR STR [STR STR ...]]", kinds),
}
"""Type of an option -> how its value is shown in the help, and how it is read."""


@REGISTRY.primitive_rule
def _words(info: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec | None:
    for kind, (shown, read) in _WORDS.items():
        if info.type == kind:
            return tyro.constructors.PrimitiveConstructorSpec(
                nargs="*",
                metavar=shown,
                instance_from_str=_told(read),
                is_instance=lambda value: True,
                str_from_instance=lambda value: [],  # Both are empty when not given.
            )
    return None


def import_text_images(
    source: Positional[pathlib.Path],
    task: Positional[str],
    format: Annotated[str, tyro.conf.arg(help=f"one of {TEXT_IMAGE_FORMATS}.")],
    reading: SourceOptions,
    pictures: PictureConfig,
    data: pathlib.Path = DATA,
    validation: ShareBelowAll = 0.02,
    threads: Count = 2,
    json: bool = False,
) -> None:
    """Import text, captions, picture questions or interleaved documents from local disk as one task.

    Args:
      source: file or folder; nothing is ever downloaded.
      task: name of the task to write, such as captions.coco.
      reading: how the source is read.
      pictures: how pictures are stored.
      data: data directory; run again after an interrupt, the import goes on.
      validation: share held out.
      threads: pictures prepared side by side.
      json: print the summary as JSON.
    """
    summary = vision_language.import_vision_language(
        source, data, task, format=format, options=reading, pictures=pictures, validation=validation, threads=threads
    )
    show(summary.to_dict(), summary.table(), json)


def import_data(
    source: Positional[pathlib.Path],
    task: Positional[str],
    format: Annotated[str, tyro.conf.arg(help=f"one of {EPISODE_FORMATS}.")],
    reading: ControlOptions,
    data: pathlib.Path = DATA,
    filter: float | None = None,
    filter_floor: float | None = None,
    validation: ShareBelowAll = 0.0,
    json: bool = False,
) -> None:
    """Import episodes of a simulator or robot from local disk as one control task.

    Args:
      source: file or folder; nothing is ever downloaded.
      task: name of the task to write, such as modular_rl.hopper.
      reading: how the source is read.
      data: data directory; run again after an interrupt, the import goes on.
      filter: keep episodes that reach this share of the expert's return; the paper's is 0.8.
      filter_floor: return that counts as nothing, for the filter; needed where the expert's is near zero.
      validation: share of the episodes held out, by a hash of their ids.
      json: print the summary as JSON.
    """
    summary = control.import_data(
        source,
        data,
        task,
        format=format,
        options=reading,
        filter=chosen_filter(filter, filter_floor),
        validation=validation,
    )
    show(summary.to_dict(), summary.table(), json)


def chosen_filter(share: float | None, floor: float | None) -> control.FilterConfig | None:
    """What `--filter` and `--filter-floor` ask for."""
    if share is None and floor is not None:
        raise UsageError("--filter-floor needs --filter")
    return None if share is None else control.FilterConfig(share, floor)
