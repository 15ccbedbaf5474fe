"""What a user decides about a control source. No TensorFlow."""

import dataclasses
import enum
import re
from collections.abc import Mapping, Sequence
from typing import Any

from data_pipelines.spec import Kind


class LastStep(enum.Enum):
    """Whether the last recorded step has an action that was really taken.

    AUTO: RLDS's `is_last` says no; sources without such a flag: yes. DUMMY: no; the step is only the last observation.
    REAL: yes; the observation behind it is not there, so the last one is repeated. Neither is ever trained on.
    """

    AUTO = "auto"
    DUMMY = "dummy"
    REAL = "real"


class Rewards(enum.Enum):
    """Which action the reward at step t belongs to: ALIGNED, the action at t; SHIFTED, the action at t - 1.

    Shifted rewards say nothing of the last action unless there is one more of them, so such an episode loses it.
    """

    ALIGNED = "aligned"
    SHIFTED = "shifted"


class Float64(enum.Enum):
    """What becomes of float64: NEAREST float32, counted and written down, or REFUSE."""

    NEAREST = "nearest"
    REFUSE = "refuse"


class Channels(enum.Enum):
    """Pictures with four channels: REFUSE; RGB, the first three; NEWEST, the last one, of four stacked gray frames."""

    REFUSE = "refuse"
    RGB = "rgb"
    NEWEST = "newest"


class BadEpisodes(enum.Enum):
    """Episodes with NaN or Inf: REFUSE the import, or LEAVE_OUT and count them."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave-out"


class Videos(enum.Enum):
    """Cameras stored as video files, which are not decoded: REFUSE the import, or LEAVE_OUT and say so."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave-out"


class ActionRange(enum.Enum):
    """Range of continuous actions: SPEC, given or the source's own or else [-1, 1]; DATA, least and greatest found."""

    SPEC = "spec"
    DATA = "data"


ROLES = ("episode", "order", "reward", "terminated", "truncated", "ends", "instruction")
"""Columns that `ControlOptions.columns` may name, where they do not have a usual name; "" says there is none."""


FrameSize = tuple[int, int]
"""Height and width in pixels."""


@dataclasses.dataclass(frozen=True)
class ControlOptions:
    """How a control source is read. None and empty mean: as the format, or its recipe, has it.

    Args:
      split: the source's own split.
      recipe: name in `recipes.RECIPES`, "auto" for the one of the source's name, "none".
      columns: role (`ROLES`) -> column.
      observation: key of ours -> column; these and no others become the observation.
      leave_out: keys of the observation that are left out.
      action: columns of the action; several are flattened and joined.
      kinds: key, or "action" -> kind, where dtype and shape mislead.
      num_values: key, or "action" -> number of discrete values; the greatest found and one, where nothing says.
      action_range, action_low, action_high: range of a continuous action.
      clip_actions: actions out of the range are clipped, and counted; otherwise they are an error.
      frame_size: of all pictures, or key -> size; they are scaled to it and do not keep their aspect. None and keys
        that are not named: the source's own.
      rewards, last_step, float64, channels, bad_episodes, videos: see these.
    """

    split: str = "train"
    recipe: str = "auto"
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    observation: Mapping[str, str] = dataclasses.field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] = dataclasses.field(default_factory=dict)
    num_values: Mapping[str, int] = dataclasses.field(default_factory=dict)
    action_range: ActionRange = ActionRange.SPEC
    action_low: float | None = None
    action_high: float | None = None
    clip_actions: bool = False
    rewards: Rewards | None = None
    last_step: LastStep | None = None
    float64: Float64 = Float64.NEAREST
    channels: Channels | None = None
    bad_episodes: BadEpisodes = BadEpisodes.REFUSE
    videos: Videos = Videos.REFUSE
    frame_size: FrameSize | Mapping[str, FrameSize] | None = None

    def __post_init__(self):
        if unknown := sorted(set(self.columns) - set(ROLES)):
            raise ValueError(f"columns: expected roles among {sorted(ROLES)}, found {unknown}")
        if (self.action_low is None) != (self.action_high is None):
            raise ValueError(
                f"give action_low and action_high together, found {self.action_low} and {self.action_high}"
            )
        if self.action_low is not None and self.action_high is not None and not self.action_low < self.action_high:
            raise ValueError(f"action_low must be below action_high, found {self.action_low} and {self.action_high}")
        if self.action_range is ActionRange.DATA and self.action_low is not None:
            raise ValueError("give action_low and action_high, or action_range data, not both")
        for key, count in self.num_values.items():
            if count < 1:
                raise ValueError(f"num_values: {key!r} needs at least one value, found {count}")
        sizes = self.frame_size if isinstance(self.frame_size, Mapping) else {"": self.frame_size}
        for key, size in sizes.items():
            if size is not None and not (len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
                found = f"{size!r} for {key!r}" if key else repr(size)
                raise ValueError(f"frame_size: expected height and width in whole pixels, at least 1, found {found}")

    def frame_size_of(self, key: str) -> FrameSize | None:
        """What the pictures of a key are scaled to, None where they stay as they are."""
        return self.frame_size.get(key) if isinstance(self.frame_size, Mapping) else self.frame_size


_ENUMS = {
    "action_range": ActionRange,
    "rewards": Rewards,
    "last_step": LastStep,
    "float64": Float64,
    "channels": Channels,
    "bad_episodes": BadEpisodes,
    "videos": Videos,
}


def control_options(**plain: Any) -> ControlOptions:
    """`ControlOptions` from words, as a command line or a file has them. Raises `ValueError` naming what is wrong."""
    found = dict(plain)
    try:
        found["kinds"] = {key: Kind(value) for key, value in plain.get("kinds", {}).items()}
    except ValueError as error:
        raise ValueError(f"kinds: expected {[kind.value for kind in Kind]}, found {plain['kinds']}") from error
    for name, choices in _ENUMS.items():
        if found.get(name) is not None:
            found[name] = choices(found[name])
    found["frame_size"] = _frame_size(plain.get("frame_size") or ())
    return ControlOptions(**found)


def _frame_size(words: Sequence[str]) -> FrameSize | dict[str, FrameSize] | None:
    """One size, or keys and sizes in turn."""
    if len(words) == 1:
        return _size(words[0])
    if len(words) % 2:
        raise ValueError(f"frame_size: expected one size (HxW), or a size for each key (KEY HxW ...), found {words}")
    return {key: _size(size) for key, size in zip(words[::2], words[1::2], strict=True)} or None


def _size(word: str) -> FrameSize:
    found = re.fullmatch(r"([0-9]+)x([0-9]+)", word)
    if found is None:
        raise ValueError(f"frame_size: expected HEIGHTxWIDTH in whole pixels, such as 224x320, found {word!r}")
    return int(found[1]), int(found[2])
