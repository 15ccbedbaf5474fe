"""What is wrong with surveyed pictures: their channels, their size, and the size that they are to be scaled to."""

import math
from collections.abc import Iterable, Mapping

from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.importing.control.options import Channels, ControlOptions, FrameSize
from data_pipelines.importing.control.survey import ACTION, ItemStatistics, Survey
from data_pipelines.schema import PATCH_SIDE
from data_pipelines.spec import Kind
from data_pipelines.tokenizers.images import grid

CONTEXT = 1024
"""Tokens of the paper's window, which must hold a whole timestep (Gato, section 2.3)."""


def scaled_size(key: str, item: ItemStatistics, options: ControlOptions) -> FrameSize:
    """Height and width with which an item's pictures are stored."""
    height, width = options.frame_size_of(key) or item.shapes[0][:2]
    return height, width


def picture_problems(key: str, item: ItemStatistics, options: ControlOptions) -> Iterable[Problem]:
    """What the survey shows of one item that is a picture, and of its size when it is stored."""
    channels = item.shapes[0][2]
    height, width = scaled_size(key, item, options)
    if item.dtypes != ["uint8"]:
        yield Problem(Severity.ERROR, key, f"pictures are uint8, found {item.dtypes}", "scale them to 0 ... 255")
    if channels not in (1, 3, 4) or (channels == 4 and options.channels in (None, Channels.REFUSE)):
        fix = "--channels rgb (the first three) or --channels newest (the last of four stacked gray frames)"
        yield Problem(
            Severity.ERROR, key, f"a picture has 1 or 3 channels, found {channels}", fix if channels == 4 else ""
        )
    if height % PATCH_SIDE or width % PATCH_SIDE:
        yield Problem(
            Severity.NOTE, key, f"{height}x{width} pixels are no multiples of {PATCH_SIDE}",
            "tokens.image_fit pads or stretches them to the next one",
        )  # fmt: skip
    sizes: list[FrameSize] = sorted({(shape[0], shape[1]) for shape in item.shapes})
    if sizes != [(height, width)]:
        keeps_aspect = all(rows * width == columns * height for rows, columns in sizes)
        yield Problem(
            Severity.NOTE, key,
            f"frames of {' and '.join(map(_pixels, sizes))} pixels are scaled to {_pixels((height, width))}, "
            f"{_patches((height, width)):,} patches" + ("" if keeps_aspect else "; the aspect is not kept"),
        )  # fmt: skip


def frame_problems(survey: Survey, options: ControlOptions) -> Iterable[Problem]:
    """Sizes that were given for what is no picture, and pictures that leave no room for anything else."""
    observed = {key: item for key, item in survey.items.items() if key != ACTION}
    pictures = {key: item for key, item in observed.items() if item.kind is Kind.IMAGE}
    named = options.frame_size if isinstance(options.frame_size, Mapping) else {}
    for key in sorted(set(named) & set(observed) - set(pictures)):
        yield Problem(
            Severity.ERROR, key, f"--frame-size expects a picture, found {observed[key].kind.value} values",
            f"pictures are {sorted(pictures)}",
        )  # fmt: skip
    if options.frame_size is not None and observed and not pictures:
        kinds = {key: item.kind.value for key, item in sorted(observed.items())}
        yield Problem(Severity.ERROR, "", f"--frame-size expects a source with pictures, found {kinds}")
    sizes = {key: scaled_size(key, item, options) for key, item in pictures.items() if item.shapes}
    if (patches := sum(map(_patches, sizes.values()))) >= CONTEXT:
        largest = max(sizes.values(), key=_patches)
        parts = math.ceil(math.sqrt(2 * patches / CONTEXT))
        rows, columns = grid(math.ceil(largest[0] / parts), math.ceil(largest[1] / parts))
        yield Problem(
            Severity.WARNING, "",
            f"a timestep has {patches:,} patches ({', '.join(f'{key} {_pixels(size)}' for key, size in sizes.items())})"
            f", and the paper's context is {CONTEXT:,} tokens for everything",
            f"import smaller frames: --frame-size {_pixels((rows * PATCH_SIDE, columns * PATCH_SIDE))}, or other "
            f"multiples of {PATCH_SIDE}",
        )  # fmt: skip


def _pixels(size: FrameSize) -> str:
    return f"{size[0]}x{size[1]}"


def _patches(size: FrameSize) -> int:
    rows, columns = grid(*size)
    return rows * columns
