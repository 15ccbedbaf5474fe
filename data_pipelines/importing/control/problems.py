"""What is wrong with surveyed episodes, each with what would help; and the spec of those with which nothing is.

Fixes are written as the command line has them; `ControlOptions` has fields of the same names.
"""

import math
from collections.abc import Iterable

import numpy as np

from data_pipelines.importing.control.episodes import SourceSpec
from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.importing.control.options import ActionRange, ControlOptions, Float64
from data_pipelines.importing.control.picture_problems import frame_problems, picture_problems, scaled_size
from data_pipelines.importing.control.survey import ACTION, ItemStatistics, Survey
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.vocabulary import BINS

MU_LAW_LIMIT = 256.0
"""Continuous observations beyond this all get the same token (Gato, section 2.1: mu 100, M 256)."""

_FEW = 0.05
"""Share of the range under which an action uses too few of the bins."""


def survey_problems(survey: Survey, source: SourceSpec, options: ControlOptions) -> list[Problem]:
    """Everything that the survey shows, errors first."""
    problems = list(_whole(survey))
    for key, item in survey.items.items():
        problems += _item(key, item, options)
        problems += _declared(key, item, source)
        if key == ACTION:
            problems += _action(item, source, options)
        if item.kind is Kind.DISCRETE:
            problems += _discrete(key, item, source, options)
    problems += frame_problems(survey, options)
    unknown = sorted((set(options.kinds) | set(options.num_values)) - set(survey.items))
    if unknown and survey.items:
        problems.append(
            Problem(Severity.ERROR, "", f"kinds or num_values name {unknown}; there are {sorted(survey.items)}")
        )
    order = list(Severity)
    return sorted(problems, key=lambda problem: order.index(problem.severity))


def build_spec(task: str, survey: Survey, source: SourceSpec, options: ControlOptions) -> TaskSpec:
    """The spec of a surveyed source that has no errors."""
    items = {key: _spec(key, item, survey, source, options) for key, item in survey.items.items()}
    observation = sorted((item for key, item in items.items() if key != ACTION), key=lambda item: item.path)
    return TaskSpec(task, tuple(observation), items[ACTION], max_episode_steps=max(survey.steps))


def action_range(item: ItemStatistics, source: SourceSpec, options: ControlOptions) -> tuple[float, float, str]:
    """Low, high, and where they are from."""
    if options.action_range is ActionRange.DATA:
        low, high = item.range
        return (low, high, "the least and greatest of the data") if low < high else (low - 1.0, high + 1.0, "the data")
    if options.action_low is not None and options.action_high is not None:
        return options.action_low, options.action_high, "given"
    if source.action_range is not None:
        return (*source.action_range, "the source's own")
    return -1.0, 1.0, "the default"


def _spec(key: str, item: ItemStatistics, survey: Survey, source: SourceSpec, options: ControlOptions) -> ItemSpec:
    shape = item.shapes[0]
    if item.kind is Kind.TEXT:
        return ItemSpec(key, Kind.TEXT, (), "object")
    if item.kind is Kind.IMAGE:
        return ItemSpec(key, Kind.IMAGE, (*scaled_size(key, item, options), 3), "uint8")
    if item.kind is Kind.DISCRETE:
        dtype = "int64" if "int64" in item.dtypes else "int32"
        return ItemSpec(key, Kind.DISCRETE, shape, dtype, num_values=num_values(key, item, source, options))
    if key == ACTION:
        low, high, _ = action_range(item, source, options)
        return ItemSpec(key, Kind.CONTINUOUS, shape, "float32", low=low, high=high)
    return ItemSpec(key, Kind.CONTINUOUS, shape, "float32")


def outward(value: float) -> float:
    """The value rounded away from zero to three digits, so that a range of rounded numbers holds the exact ones."""
    if not value:
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return math.copysign(math.ceil(round(abs(value) / unit, 6)) * unit, value)


def num_values(key: str, item: ItemStatistics, source: SourceSpec, options: ControlOptions) -> int:
    """How many values a discrete item takes: as given, as the source says, else the greatest found and one."""
    return options.num_values.get(key) or source.num_values.get(key) or int(item.range[1]) + 1


def _whole(survey: Survey) -> Iterable[Problem]:
    if not survey.usable and not survey.refuses_damaged:
        yield Problem(Severity.ERROR, "", f"no episode can be used; left out: {dict(survey.skipped)}")
    for episode, key, step in survey.damaged[:5]:
        yield Problem(
            Severity.ERROR if survey.refuses_damaged else Severity.NOTE, key,
            f"NaN or Inf in episode {episode!r}, timestep {step}",
            "repair the source, or leave such episodes out with --bad-episodes leave-out" if survey.refuses_damaged
            else "the episode is left out",
        )  # fmt: skip
    for episode, what in survey.broken[:5]:
        yield Problem(
            Severity.NOTE if survey.leaves_out else Severity.ERROR, "", f"episode {episode!r}: {what}",
            "the episode is left out" if survey.leaves_out
            else "repair the source, or leave such episodes out with --bad-episodes leave-out; or see --kinds, "
            "--channels and --leave-out",
        )  # fmt: skip
    if survey.usable and survey.repeated:
        yield Problem(
            Severity.NOTE, "",
            f"{survey.repeated} of {len(survey.usable)} episodes have no observation behind their last action",
            "their last observation is repeated as RLDS's last step, which nothing is trained on; if the last action "
            "is a placeholder, --last-step dummy",
        )  # fmt: skip
    for doubted in survey.doubts.values():
        at = "" if doubted.doubt.step is None else f", step {doubted.doubt.step}"
        yield Problem(
            Severity.WARNING, doubted.doubt.key,
            f"{doubted.doubt.what} (in {doubted.episodes} of {len(survey.usable)} episodes, first in episode "
            f"{doubted.first!r}{at})", doubted.doubt.fix,
        )  # fmt: skip
    if len(survey.usable) == 1:
        yield Problem(
            Severity.WARNING, "", "there is one episode, and prompts need another one",
            "import more, or set stream.prompt_share = 0",
        )  # fmt: skip
    if survey.usable and not any(survey.usable):
        yield Problem(Severity.NOTE, "", "all returns are zero or there are no rewards, so nothing can be filtered")


def _item(key: str, item: ItemStatistics, options: ControlOptions) -> Iterable[Problem]:
    if not item.shapes:
        return  # Not one could be read, and `_whole` tells why.
    scaled = item.kind is Kind.IMAGE and options.frame_size_of(key) is not None
    if len({shape[2:] if scaled else shape for shape in item.shapes}) > 1 and item.kind is not Kind.TEXT:
        yield Problem(
            Severity.ERROR, key, f"expected one shape, found {sorted(item.shapes)}, first in episode {item.example!r}",
            "split the source by shape; each task has one"
            + ("; --frame-size scales pictures to one" if item.kind is Kind.IMAGE and not scaled else ""),
        )  # fmt: skip
        return
    if item.kind is Kind.TEXT:
        if any(item.shapes):
            yield Problem(Severity.ERROR, key, f"a textual observation is one string, found shape {item.shapes[0]}")
        return
    if len(item.dtypes) > 1 and not all(name.startswith("float") for name in item.dtypes):
        yield Problem(Severity.ERROR, key, f"expected one dtype, found {item.dtypes}, as in episode {item.example!r}")
    if item.kind is Kind.IMAGE:
        yield from picture_problems(key, item, options)
        return
    if "float64" in item.dtypes and item.kind is Kind.CONTINUOUS:
        refused = options.float64 is Float64.REFUSE
        yield Problem(
            Severity.ERROR if refused else Severity.NOTE, key, "float64",
            "--float64 nearest" if refused else "each value becomes the nearest float32",
        )  # fmt: skip
    shape = item.shapes[0]
    if len(shape) == 3 and shape[0] in (1, 3, 4) and min(shape[1:]) > 4:
        yield Problem(
            Severity.WARNING, key, f"shape {shape} looks like a picture with its channels first",
            "store it as uint8 [height, width, channels]",
        )  # fmt: skip
    constant = [index for index, (low, high) in enumerate(zip(item.low, item.high, strict=True)) if low == high]
    # Cells of a grid that never change are common, and harmless.
    if constant and (item.kind is Kind.CONTINUOUS or len(constant) == len(item.low)):
        shown = ", ".join(map(str, constant[:8])) + (", ..." if len(constant) > 8 else "")
        yield Problem(
            Severity.WARNING, key,
            f"{len(constant)} of {len(item.low)} values never change (columns {shown}): tokens for nothing",
            f"--leave-out {key}" if len(constant) == len(item.low) and key != ACTION else "cut them at the source",
        )  # fmt: skip
    low, high = item.range
    if item.kind is Kind.CONTINUOUS and key != ACTION and max(abs(low), abs(high)) > MU_LAW_LIMIT:
        yield Problem(
            Severity.WARNING, key, f"values lie in [{low:.6g}, {high:.6g}]; all beyond +-{MU_LAW_LIMIT:.0f} look alike",
            "scale them at the source",
        )  # fmt: skip


def _declared(key: str, item: ItemStatistics, source: SourceSpec) -> Iterable[Problem]:
    if item.kind is not Kind.CONTINUOUS or key not in source.observation_ranges or not item.low:
        return
    (low, high), (least, greatest) = source.observation_ranges[key], item.range
    if least < np.float32(low) or greatest > np.float32(high):
        yield Problem(
            Severity.WARNING, key,
            f"the source declares values in [{low:.6g}, {high:.6g}], found [{least:.6g}, {greatest:.6g}]",
            "look whether these are the columns that were meant",
        )  # fmt: skip


def _discrete(key: str, item: ItemStatistics, source: SourceSpec, options: ControlOptions) -> Iterable[Problem]:
    low, high = item.range
    if not item.whole:
        yield Problem(
            Severity.ERROR, key, "discrete values are whole numbers, found others", f"--kinds {key} continuous"
        )
        return
    count = num_values(key, item, source, options)
    if low < 0 or high >= count:
        yield Problem(
            Severity.ERROR, key, f"discrete values lie in [0, {count}), found [{low:.0f}, {high:.0f}]",
            f"--kinds {key} continuous, or --num-values {key}" if low >= 0 else f"--kinds {key} continuous",
        )  # fmt: skip
    elif count > BINS:
        yield Problem(
            Severity.ERROR, key, f"discrete values lie in [0, {BINS}), found {count} values",
            f"--kinds {key} continuous",
        )  # fmt: skip
    elif key not in options.num_values and key not in source.num_values:
        yield Problem(
            Severity.NOTE, key, f"nothing says how many values there are; {count} by the greatest found",
            f"--num-values {key} N",
        )  # fmt: skip


def _action(item: ItemStatistics, source: SourceSpec, options: ControlOptions) -> Iterable[Problem]:
    if item.kind not in (Kind.CONTINUOUS, Kind.DISCRETE):
        yield Problem(Severity.ERROR, ACTION, f"an action is continuous or discrete, found {item.kind.value}")
    if item.kind is not Kind.CONTINUOUS or not item.low:
        return
    low, high, origin = action_range(item, source, options)
    least, greatest = item.range
    # In float32, as actions are stored: a float32 action of 0.1 lies in a range that ends at 0.1.
    values = list(zip(np.asarray(item.low, np.float32), np.asarray(item.high, np.float32), strict=True))
    beyond = [index for index, (a, b) in enumerate(values) if a < np.float32(low) or b > np.float32(high)]
    if beyond:
        yield Problem(
            Severity.NOTE if options.clip_actions else Severity.ERROR, ACTION,
            f"expected values in [{low:.6g}, {high:.6g}] ({origin}), found [{least:.9g}, {greatest:.9g}] in dimensions "
            f"{beyond}",
            "they are clipped" if options.clip_actions else
            f"give their range with --action-low {outward(min(low, least)):g} --action-high "
            f"{outward(max(high, greatest)):g} (or --action-range data), or "
            "clip them with --clip-actions",
        )  # fmt: skip
    elif greatest - least < _FEW * (high - low):
        yield Problem(
            Severity.WARNING, ACTION,
            f"values in [{least:.6g}, {greatest:.6g}] use less than a twentieth of [{low:.6g}, {high:.6g}], so few of "
            f"the {BINS} bins",
            "give a narrower range with --action-low and --action-high, or --action-range data",
        )  # fmt: skip
        return
    # One range holds for all dimensions, so a wide one leaves few bins to a narrow one. Constant ones are told of.
    for index, (a, b) in enumerate(zip(np.clip(item.low, low, high), np.clip(item.high, low, high), strict=True)):
        if 0 < b - a < _FEW * (high - low):
            bins = round((b - a) / (high - low) * BINS)
            yield Problem(
                Severity.WARNING, ACTION,
                f"dimension {index} uses [{a:.6g}, {b:.6g}] of the range [{low:.6g}, {high:.6g}] ({origin}): {bins} of "
                f"{BINS:,} bins",
                "scale it to the range at the source" if (low, high) == (least, greatest)
                else "scale it to the range at the source, or give a narrower range, which is one for all dimensions",
            )  # fmt: skip
