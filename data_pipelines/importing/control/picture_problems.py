"""What is wrong with surveyed pictures: their channels and their size."""

from collections.abc import Iterable

from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.importing.control.options import Channels, ControlOptions
from data_pipelines.importing.control.survey import ItemStatistics
from data_pipelines.schema import PATCH_SIDE


def picture_problems(key: str, item: ItemStatistics, options: ControlOptions) -> Iterable[Problem]:
    """What the survey shows of one item that is a picture."""
    height, width, channels = item.shapes[0]
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
