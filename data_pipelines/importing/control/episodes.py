"""An episode as a source holds it, and as every source's episodes look afterwards. No TensorFlow."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from data_pipelines.config_json import encode
from data_pipelines.importing.control.findings import Doubt
from data_pipelines.importing.control.options import Channels, LastStep, Rewards

IMAGE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""How PNG and JPEG files begin."""


@dataclasses.dataclass(frozen=True, eq=False)
class RawEpisode:
    """One episode in the source's own names and conventions.

    Args:
      id: decides the split; the same whenever the source is read.
      columns: path -> array [T, ...], or one entry more or fewer, as the source has them. Encoded images are object
        arrays of bytes, texts are object arrays of str or bytes.
      terminal: whether the environment ended it (not a time limit); None where `is_terminal` or nothing says so.
    """

    id: str
    columns: Mapping[str, np.ndarray]
    terminal: bool | None = None


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which columns of a source are what.

    Args:
      observation: key of ours ("a/b" for nested ones) -> column.
      action: columns that make the action; several are flattened and joined, in this order.
      reward: column of the rewards, None without any.
      last_observation: key of ours -> column whose last entry is the observation behind the last action (d4rl's
        `next_observations`).
      last_step: whether the last step's action is real.
      rewards: which action a reward belongs to.
      is_last, is_terminal: columns with RLDS's flags, None without.
      channels: what becomes of pictures with four channels.
      agent: column that names the agent an episode is of, None without: one value, or the same at every step.
    """

    observation: Mapping[str, str]
    action: tuple[str, ...]
    reward: str | None = None
    last_observation: Mapping[str, str] = dataclasses.field(default_factory=dict)
    last_step: LastStep = LastStep.AUTO
    rewards: Rewards = Rewards.ALIGNED
    is_last: str | None = None
    is_terminal: str | None = None
    channels: Channels = Channels.REFUSE
    agent: str | None = None

    @property
    def columns(self) -> frozenset[str]:
        """All columns that are read."""
        named = [self.reward, self.is_last, self.is_terminal, self.agent, *self.action]
        return frozenset(
            [*self.observation.values(), *self.last_observation.values(), *(name for name in named if name)]
        )

    def to_json(self) -> dict[str, Any]:
        """For JSON. An agent only where there is one: tasks that were imported before there were any go on."""
        return {key: value for key, value in encode(self).items() if key != "agent" or value}


@dataclasses.dataclass(frozen=True)
class SourceSpec:
    """What a source itself says about ranges, None and empty where it says nothing.

    Args:
      action_range: low and high of a continuous action, one number for all dimensions.
      num_values: key of ours, or "action" -> number of discrete values.
      observation_ranges: key of ours -> low and high of a continuous observation, over all its dimensions.
    """

    action_range: tuple[float, float] | None = None
    num_values: Mapping[str, int] = dataclasses.field(default_factory=dict)
    observation_ranges: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


class ControlReader(Protocol):
    """An opened source: its episodes in an order that does not change."""

    @property
    def layout(self) -> Layout:
        """Which columns are what, by the format's own rules."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Everything the source has, for messages and choices."""

    @property
    def stamp(self) -> Mapping[str, Any]:
        """JSON-able: what tells this source from another one, or from itself after a change."""

    @property
    def spec(self) -> SourceSpec:
        """Ranges that the source declares."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen or left out while opening, a sentence each."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that the source itself has; empty where it has none, and all of it is "train"."""

    def __len__(self) -> int:
        """Number of episodes; 0 where only reading everything would tell."""

    def episodes(self, start: int, columns: frozenset[str]) -> Iterator[RawEpisode]:
        """Episodes from number `start` on, with at least these columns; encoded pictures stay encoded."""


@dataclasses.dataclass(frozen=True, eq=False)
class Demonstration:
    """N actions and the N + 1 observations around them.

    Args:
      id: of the raw episode.
      observation: key -> [N + 1, ...].
      action: [N, ...].
      reward: [N], of each action.
      terminal: whether the environment ended the episode.
      repeated: whether the last observation is the one before it again, because the source has none; nothing is
        trained on it.
      agent: the source agent, None where the source is not asked for it.
      doubts: what may be wrong with it.
    """

    id: str
    observation: Mapping[str, np.ndarray]
    action: np.ndarray
    reward: np.ndarray
    terminal: bool
    repeated: bool
    agent: str | None = None
    doubts: tuple[Doubt, ...] = ()

    @property
    def steps(self) -> int:
        """N."""
        return len(self.action)

    @property
    def episode_return(self) -> float:
        """Undiscounted sum of rewards."""
        return float(np.sum(self.reward, dtype=np.float64))


def is_encoded_image(value: Any) -> bool:
    """Whether it is the content of a PNG or JPEG file."""
    return isinstance(value, bytes) and value.startswith(IMAGE_MAGIC)


def as_text(value: Any) -> str:
    """A text however it was stored. Raises `UnicodeDecodeError`."""
    return value.decode() if isinstance(value, bytes) else str(value)


def objects(values: Any) -> np.ndarray:
    """A list as an object array [n], never as a nested one."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
