"""What a user decides about a control source. No TensorFlow."""

import dataclasses
import enum
import json
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.spec import Kind, World


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
    """Episodes with NaN, Inf, or broken frames or texts: REFUSE the import, or LEAVE_OUT and count them."""

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


ROLES = ("episode", "order", "reward", "terminated", "truncated", "ends", "starts", "lengths", "instruction")
"""Columns that `ControlOptions.columns` may name, where they do not have a usual name; "" says there is none."""


_LATER = ("agent", "frame_size", "world", "world_kwargs")

FrameSize = tuple[int, int]
"""Height and width in pixels."""

FrameSizes = FrameSize | Mapping[str, FrameSize] | None
"""Of all pictures, or key of ours -> size; None and keys that are not named: the source's own."""

Kinds = Mapping[str, Kind]
"""Key, or "action" -> kind."""


# The command line has an option for each field; the texts here are its help.
@dataclasses.dataclass(frozen=True)
class ControlOptions:
    """How a control source is read. None and empty mean: as the format, or its recipe, has it.

    Args:
      split: the source's own split.
      recipe: how a public RLDS data set is read: auto (by its name), none, or a name (of `recipes.RECIPES`).
      columns: role (episode, reward, terminated, truncated, ends, ...) and column: --columns truncated timeouts.
      observation: key and column; these become the observation, and nothing else.
      leave_out: keys of the observation to leave out.
      action: columns of the action; several are flattened and joined.
      kinds: key, or action, and text, image, discrete or continuous, where dtype and shape mislead.
      num_values: key, or action, and how many discrete values there are; else the greatest found and one.
      action_range: the range given or the source's own (else -1 to 1), or the least and greatest of the data.
      action_low: least legal value of a continuous action.
      action_high: greatest legal value of a continuous action.
      clip_actions: clip actions to their range, and count them, instead of stopping.
      rewards: the reward at step t belongs to the action there, or (shifted) to the one before.
      last_step: whether the last recorded action is a placeholder, or real; auto looks at is_last.
      float64: round to the nearest float32, or refuse.
      channels: of pictures with four: the first three (rgb), or the newest of four stacked gray frames.
      bad_episodes: with NaN, Inf, or broken frames or texts: stop, or leave them out and count them.
      videos: cameras stored as video, which are not decoded: stop, or leave them out and say so.
      agent: column that names the agent an episode is of; prompts then come from episodes of the same agent.
      world: where the episodes are from, to play and score there: gymnasium:ID or package.module:factory (it runs).
      world_kwargs: JSON object for its factory, or for gymnasium.make.
      frame_size: stretch pictures to HxW pixels, such as 224x320 (aspect not kept); or KEY HxW for each: wrist 64x64.

    Examples:
      >>> from data_pipelines import ControlOptions
      >>> ControlOptions(clip_actions=True).clip_actions
      True
    """

    split: str = "train"
    recipe: str = "auto"
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    observation: Mapping[str, str] = dataclasses.field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    kinds: Kinds = dataclasses.field(default_factory=dict)
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
    agent: str | None = None
    world: str = ""
    world_kwargs: str = ""
    frame_size: FrameSizes = None

    def __post_init__(self):
        _ = self.where
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
                actual = f"{size!r} for {key!r}" if key else repr(size)
                raise ValueError(f"frame_size: expected height and width in whole pixels, at least 1, found {actual}")

    @property
    def where(self) -> World | None:
        """The world that the episodes are of. Raises `ValueError` for a name or arguments that are none."""
        if not self.world:
            if self.world_kwargs:
                raise ValueError(f"world_kwargs are of a world, and there is none: found {self.world_kwargs!r}")
            return None
        try:
            kwargs = json.loads(self.world_kwargs or "{}")
        except json.JSONDecodeError as error:
            raise ValueError(f"world_kwargs: expected a JSON object, found {self.world_kwargs!r}: {error}") from error
        if not isinstance(kwargs, dict):
            raise ValueError(f"world_kwargs: expected a JSON object, found {self.world_kwargs!r}")
        return World(self.world, kwargs)

    def frame_size_of(self, key: str) -> FrameSize | None:
        """What the pictures of a key are scaled to, None where they stay as they are."""
        return self.frame_size.get(key) if isinstance(self.frame_size, Mapping) else self.frame_size

    def to_json(self) -> dict[str, Any]:
        """For JSON. What later became an option only where it is given: tasks that were imported before go on."""
        return {key: value for key, value in encode(self).items() if key not in _LATER or value}


def control_options(**words: Any) -> ControlOptions:
    """`ControlOptions` from words, as a file or a program has them. Raises `ValueError` naming what is wrong."""
    settings = {
        **words,
        "kinds": _kinds(words.get("kinds", {})),
        "frame_size": frame_sizes(words.get("frame_size") or ()),
    }
    types = typing.get_type_hints(ControlOptions)
    for name in words.keys() - {"kinds", "frame_size"}:
        choices = [kind for kind in (types[name], *typing.get_args(types[name])) if isinstance(kind, enum.EnumType)]
        if choices and words[name] is not None:
            settings[name] = choices[0](words[name])
    return ControlOptions(**settings)


def _kinds(names: Mapping[str, str]) -> dict[str, Kind]:
    try:
        return {key: Kind(name) for key, name in names.items()}
    except ValueError as error:
        raise ValueError(f"kinds: expected {[kind.value for kind in Kind]}, found {names}") from error


def kinds(words: Sequence[str]) -> Kinds:
    """Keys and kinds in turn (cell discrete action continuous). Raises `ValueError` for anything else."""
    if len(words) % 2:
        raise ValueError(f"kinds: expected a kind for each key (KEY KIND ...), found {words}")
    return _kinds(dict(zip(words[::2], words[1::2], strict=True)))


def frame_sizes(words: Sequence[str]) -> FrameSizes:
    """One size (224x320), or keys and sizes in turn (image 224x320 wrist 64x64); None of no words.

    Raises:
      ValueError: words that are neither.
    """
    if len(words) == 1:
        return _size(words[0])
    if len(words) % 2:
        raise ValueError(f"frame_size: expected one size (HxW), or a size for each key (KEY HxW ...), found {words}")
    return {key: _size(size) for key, size in zip(words[::2], words[1::2], strict=True)} or None


def _size(word: str) -> FrameSize:
    match = re.fullmatch(r"([0-9]+)x([0-9]+)", word)
    if match is None:
        raise ValueError(f"frame_size: expected HEIGHTxWIDTH in whole pixels, such as 224x320, found {word!r}")
    return int(match[1]), int(match[2])
