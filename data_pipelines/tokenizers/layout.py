"""Canonical layout of one timestep, and its tokens: observation, separator, action (Gato, sections 2.1 and 2.3).

The layout is static: it follows from the task's spec and the token settings alone. Inside a timestep stand text, image,
discrete and continuous items (keys sorted inside a kind), the separator, and the action. A textual observation takes a
fixed number of places, the unused ones are padding, so every other place knows where it is.
"""

import dataclasses
import enum

import numpy as np
from jaxtyping import Float32, Int32

from data_pipelines.errors import TimestepError, describe
from data_pipelines.ranges import Count, check_fields
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers import images
from data_pipelines.tokenizers.continuous import Companding
from data_pipelines.tokenizers.discrete import DiscreteCodec
from data_pipelines.tokenizers.images import ImageFit
from data_pipelines.vocabulary import BINS, TokenType, Vocabulary


class ActionPositions(enum.Enum):
    """Which local position an action token has. The paper says three things (gato-jax docs/tokens.md)."""

    NONE = "none"
    """None at all: the caption of figure 18, and what re-implementations do."""
    SAME = "same"
    """One learned vector for every action token, whatever its index: appendix C.3. A row of the table of its own."""
    LOCAL = "local"
    """Counting goes on behind the observation, through the separator: section 2.2, all tokens of a timestep."""


@dataclasses.dataclass(frozen=True)
class TokenConfig:
    """How modalities become tokens.

    Args:
      vocabulary: id ranges.
      text_model: SentencePiece model: "" for the data directory's, a path, or "package:<package>/<path inside it>".
      companding: which continuous observations are companded; actions never are.
      pack_discrete: fold the digits of a cell into one token where a spec gives its radix (lossless, fewer tokens).
      text_tokens: places of each textual observation. Longer text is an error.
      image_fit: how image sides that are no multiple of 16 are fitted.
      predict_text_observations: loss on textual observations (the paper taken literally).
      separator_loss: loss on the separator (some re-implementations; not the paper).
      action_positions: local positions of action tokens.
      max_observation_tokens: places that the table of local positions is for. A longer observation is an error, and
        under `ActionPositions.LOCAL` a longer timestep.

    Examples:
      >>> from data_pipelines import TokenConfig, Vocabulary
      >>> TokenConfig(Vocabulary(text_size=1024)).vocabulary.separator
      2048
    """

    vocabulary: Vocabulary = dataclasses.field(default_factory=Vocabulary)
    text_model: str = ""
    companding: Companding = Companding.ALWAYS
    pack_discrete: bool = False
    text_tokens: Count = 16
    image_fit: ImageFit = ImageFit.PAD
    predict_text_observations: bool = True
    separator_loss: bool = False
    action_positions: ActionPositions = ActionPositions.NONE
    max_observation_tokens: Count = 512

    def __post_init__(self):
        check_fields(self, "tokens")

    @property
    def local_positions(self) -> int:
        """Rows that the model's table of local positions must have."""
        return self.max_observation_tokens + (self.action_positions is ActionPositions.SAME)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one item stands inside the timestep."""

    item: ItemSpec
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)


@dataclasses.dataclass(frozen=True, eq=False)
class TimestepLayout:
    """Static arrays of one timestep of `length` places.

    Args:
      spec: the task.
      tokens: the settings the layout was built with.
      places: the observation's items in canonical order.
      action: the action's places, the last of the timestep.
      token_type: `TokenType` of each place (textual places as if all were used).
      observation_position: index inside the observation + 1; 0 = no local position, as the separator and, unless
        `TokenConfig.action_positions` says otherwise, the action.
      loss_mask: 1 where the place is a target.
      patch_slots: the places that patches fill, ascending.
      patch_interval: row low, row high, column low, column high of each patch in 128ths.
      action_low, action_high: legal ids of each action place, [low, high).
    """

    spec: TaskSpec
    tokens: TokenConfig
    places: tuple[Place, ...]
    action: Place
    token_type: Int32[np.ndarray, "length"]
    observation_position: Int32[np.ndarray, "length"]
    loss_mask: Float32[np.ndarray, "length"]
    patch_slots: Int32[np.ndarray, "patches"]
    patch_interval: Int32[np.ndarray, "patches 4"]
    action_low: Int32[np.ndarray, "actions"]
    action_high: Int32[np.ndarray, "actions"]

    @property
    def length(self) -> int:
        return self.action.stop

    @property
    def separator_place(self) -> int:
        return self.action.start - 1

    @property
    def action_position(self) -> Int32[np.ndarray, "actions"]:
        """`observation_position` of the action's places."""
        return self.observation_position[self.action.slice]

    @property
    def patches(self) -> int:
        """Image patches per timestep."""
        return len(self.patch_slots)

    @property
    def targets(self) -> int:
        """Places that may carry loss, at most."""
        return int(np.count_nonzero(self.loss_mask))

    @property
    def has_text(self) -> bool:
        return any(place.item.kind is Kind.TEXT for place in self.places)

    @classmethod
    def build(cls, spec: TaskSpec, tokens: TokenConfig) -> "TimestepLayout":
        """The layout of one task's timesteps.

        Raises:
          TimestepError: the observation is longer than the table of local positions.
          ValueError: an item cannot become tokens at all.
        """
        places, types, intervals, start = [], [], [], 0
        for kind in Kind:
            for item in (item for item in spec.observation if item.kind is kind):
                size = _item_tokens(item, tokens)
                places.append(Place(item, start, start + size))
                types += [_TYPES[kind]] * size
                start += size
                if kind is Kind.IMAGE:
                    intervals.append(images.patch_intervals(*item.shape[:2]))
        if spec.action.kind not in (Kind.CONTINUOUS, Kind.DISCRETE):
            raise ValueError(f"task {spec.name!r}: the action must be continuous or discrete, found {spec.action.kind}")
        action_size = _item_tokens(spec.action, tokens)
        types += [TokenType.SEPARATOR] + [TokenType.ACTION] * action_size
        local = tokens.action_positions is ActionPositions.LOCAL
        counted = len(types) if local else start
        if counted > tokens.max_observation_tokens:
            longest = max(places, key=lambda place: place.size)
            expected = f"at most tokens.max_observation_tokens = {tokens.max_observation_tokens} tokens"
            actual = (
                f"{longest.size}, and {counted} with the other keys of the {'timestep' if local else 'observation'}"
            )
            raise TimestepError(describe(spec.name, longest.item.key, expected, actual))
        token_type = np.asarray(types, np.int32)
        loss = (token_type == TokenType.ACTION).astype(np.float32)
        loss[token_type == TokenType.TEXT] = tokens.predict_text_observations
        loss[token_type == TokenType.SEPARATOR] = tokens.separator_loss
        position = np.arange(1, len(types) + 1, dtype=np.int32)
        if not local:
            position[start:] = 0
        if tokens.action_positions is ActionPositions.SAME:
            position[start + 1 :] = tokens.local_positions
        low, high = _action_ids(spec.action, tokens)
        return cls(
            spec=spec,
            tokens=tokens,
            places=tuple(places),
            action=Place(spec.action, start + 1, start + 1 + action_size),
            token_type=token_type,
            observation_position=position,
            loss_mask=loss,
            patch_slots=np.flatnonzero(token_type == TokenType.PATCH).astype(np.int32),
            patch_interval=np.concatenate([np.zeros((0, 4), np.int32), *intervals]),
            action_low=np.full(action_size, low, np.int32),
            action_high=np.broadcast_to(np.asarray(high, np.int32), action_size),
        )


_TYPES = {
    Kind.TEXT: TokenType.TEXT,
    Kind.IMAGE: TokenType.PATCH,
    Kind.DISCRETE: TokenType.OBSERVATION,
    Kind.CONTINUOUS: TokenType.OBSERVATION,
}


def _item_tokens(item: ItemSpec, tokens: TokenConfig) -> int:
    if item.kind is Kind.TEXT:
        if item.shape:
            raise ValueError(f"{item.key!r}: a textual observation is one string, found shape {item.shape}")
        return tokens.text_tokens
    if item.kind is Kind.IMAGE:
        if len(item.shape) != 3 or item.shape[2] not in (1, 3):
            raise ValueError(
                f"{item.key!r}: expected an image of shape (height, width, 3), or (height, width, 1) for gray, found "
                f"{item.shape}; drop an alpha channel, and give stacked gray frames as an image item each"
            )
        return int(np.prod(images.grid(*item.shape[:2])))
    if item.kind is Kind.DISCRETE:
        return DiscreteCodec.build(item, pack=tokens.pack_discrete).size
    return item.size


def _action_ids(item: ItemSpec, tokens: TokenConfig) -> tuple[int, Int32[np.ndarray, "actions"] | int]:
    """Legal ids [low, high) of the action's places; digits of different ranges have ends of their own."""
    vocabulary = tokens.vocabulary
    if item.kind is Kind.CONTINUOUS:
        return vocabulary.continuous_start, vocabulary.continuous_start + BINS
    codec = DiscreteCodec.build(item, pack=tokens.pack_discrete)
    limits = np.full(codec.size, codec.limit) if codec.place_values else DiscreteCodec.limits(item).ravel()
    return vocabulary.discrete_start, vocabulary.discrete_start + limits.astype(np.int32)
