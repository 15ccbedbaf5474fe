"""Canonical layout of one timestep, and its tokens: observation, separator, action (Gato, sections 2.1 and 2.3).

The layout is static: it follows from the task's spec and the token settings alone. Inside a timestep stand text, image,
discrete and continuous items (keys sorted inside a kind), the separator, and the action. A textual observation takes a
fixed number of places, the unused ones are padding, so every other place knows where it is.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, Int32

from data_pipelines.spec import ItemSpec, Kind, TaskSpec, lookup
from data_pipelines.tokenizers import continuous, images
from data_pipelines.tokenizers.continuous import Companding
from data_pipelines.tokenizers.discrete import DiscreteCodec
from data_pipelines.tokenizers.images import ImageFit
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.vocabulary import BINS, TokenType, Vocabulary


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
      predict_text_observations: loss on textual observations (the paper's letter).
      separator_loss: loss on the separator (some re-implementations; not the paper).
      max_observation_tokens: size of the model's table of local positions. A longer observation is an error.
    """

    vocabulary: Vocabulary = dataclasses.field(default_factory=Vocabulary)
    text_model: str = ""
    companding: Companding = Companding.ALWAYS
    pack_discrete: bool = False
    text_tokens: int = 16
    image_fit: ImageFit = ImageFit.PAD
    predict_text_observations: bool = True
    separator_loss: bool = False
    max_observation_tokens: int = 512

    def __post_init__(self):
        for name in ("text_tokens", "max_observation_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"tokens.{name} must be positive, found {getattr(self, name)}")


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
      observation_position: index inside the observation + 1; 0 on separator and action, which have no local position.
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
    def action_slice(self) -> slice:
        return self.action.slice

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
        """The layout of one task's timesteps. Raises `ValueError` when the observation is too long or does not fit."""
        places, types, intervals, start = [], [], [], 0
        for kind in Kind:
            for item in (item for item in spec.observation if item.kind is kind):
                size = _item_tokens(item, tokens)
                places.append(Place(item, start, start + size))
                types += [_TYPES[kind]] * size
                start += size
                if kind is Kind.IMAGE:
                    intervals.append(images.patch_intervals(*item.shape[:2]))
        if start > tokens.max_observation_tokens:
            raise ValueError(
                f"task {spec.name!r}: an observation of {start} tokens does not fit the table of local positions, "
                f"tokens.max_observation_tokens = {tokens.max_observation_tokens}"
            )
        if spec.action.kind not in (Kind.CONTINUOUS, Kind.DISCRETE):
            raise ValueError(f"task {spec.name!r}: the action must be continuous or discrete, found {spec.action.kind}")
        action_size = _item_tokens(spec.action, tokens)
        types += [TokenType.SEPARATOR] + [TokenType.ACTION] * action_size
        token_type = np.asarray(types, np.int32)
        loss = (token_type == TokenType.ACTION).astype(np.float32)
        loss[token_type == TokenType.TEXT] = tokens.predict_text_observations
        loss[token_type == TokenType.SEPARATOR] = tokens.separator_loss
        position = np.zeros(len(types), np.int32)
        position[:start] = np.arange(1, start + 1)
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
            action_high=np.full(action_size, high, np.int32),
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
        if len(item.shape) != 3 or item.shape[2] != 3:
            raise ValueError(f"{item.key!r}: an image has shape (height, width, 3), found {item.shape}")
        return int(np.prod(images.grid(*item.shape[:2])))
    if item.kind is Kind.DISCRETE:
        return DiscreteCodec.build(item, pack=tokens.pack_discrete).size
    return item.size


def _action_ids(item: ItemSpec, tokens: TokenConfig) -> tuple[int, int]:
    vocabulary = tokens.vocabulary
    if item.kind is Kind.CONTINUOUS:
        return vocabulary.continuous_start, vocabulary.continuous_start + BINS
    limit = DiscreteCodec.build(item, pack=tokens.pack_discrete).limit
    return vocabulary.discrete_start, vocabulary.discrete_start + limit


class TimestepTokenizer:
    """Turns observations into tokens and action tokens into actions, in NumPy, one timestep or a stack of them.

    Args:
      layout: the task's layout.
      text: the SentencePiece model; needed where the task has textual observations.
    """

    def __init__(self, layout: TimestepLayout, text: TextTokenizer | None = None):
        if layout.has_text and text is None:
            raise ValueError(f"task {layout.spec.name!r} has textual observations, so its tokenizer needs a text model")
        self.layout = layout
        self._text = text
        self._observations = continuous.companded(layout.tokens.companding)
        self._actions = continuous.uniform(layout.spec.action.low, layout.spec.action.high)

    def encode_observation(self, observation: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Tokens of one observation (nested dict as in the spec), up to and including the separator.

        Every array of the observation may carry one more leading axis (environments, or time); so do the results.

        Returns:
          tokens, token_type, observation_position, segment_ids int32 and loss_mask float32 of [..., n], n =
          `layout.separator_place + 1` (segment_ids is 1, or 0 on unused places of text, which are padding);
          patches uint8 [..., patches, 768], patch_slot int32 [..., patches] (place inside the timestep) and
          patch_interval int32 [..., patches, 4].

        Raises:
          KeyError, ValueError: naming the task, the key, what was expected and what was found.
        """
        layout, ids = self.layout, self.layout.tokens.vocabulary
        values = {place.item.key: self._value(observation, place.item) for place in layout.places}
        leading = {array.ndim - (0 if key_is_text else len(shape)) for key_is_text, shape, array in values.values()}
        if leading not in ({0}, {1}):
            raise ValueError(
                f"task {layout.spec.name!r}: every observation item needs the spec's shape, or all of them one leading "
                f"axis more; found { ({key: array.shape for key, (_, _, array) in values.items()}) }"
            )
        batched = leading == {1}
        arrays = {key: array if batched else array[None] for key, (_, _, array) in values.items()}
        steps = len(next(iter(arrays.values())))
        count = layout.separator_place + 1
        tokens = np.zeros((steps, count), np.int32)
        valid = np.ones((steps, count), bool)
        patches = [np.zeros((steps, 0, images.PATCH_VALUES), np.uint8)]
        for place in layout.places:
            item, array = place.item, arrays[place.item.key]
            if item.kind is Kind.TEXT:
                tokens[:, place.slice] = self._encode_texts(item, array)
                valid[:, place.slice] = tokens[:, place.slice] >= 0
            elif item.kind is Kind.IMAGE:
                patches.append(images.patchify(array, layout.tokens.image_fit))
            elif item.kind is Kind.DISCRETE:
                tokens[:, place.slice] = self._discrete(item).encode(array) + ids.discrete_start
            else:
                bins = self._observations.encode(array.reshape(steps, place.size).astype(np.float32))
                tokens[:, place.slice] = bins + ids.continuous_start
        tokens[:, layout.separator_place] = ids.separator

        def static(array: np.ndarray) -> np.ndarray:
            return np.broadcast_to(array, (steps, *array.shape))

        result = {
            "tokens": np.where(valid, tokens, 0),
            "token_type": np.where(valid, static(layout.token_type[:count]), 0),
            "observation_position": np.where(valid, static(layout.observation_position[:count]), 0),
            "segment_ids": valid.astype(np.int32),
            "loss_mask": np.where(valid, static(layout.loss_mask[:count]), np.float32(0)),
            "patches": np.concatenate(patches, axis=1),
            "patch_slot": static(layout.patch_slots).copy(),
            "patch_interval": static(layout.patch_interval).copy(),
        }
        return result if batched else {name: array[0] for name, array in result.items()}

    def encode_action(self, action: np.ndarray) -> Int32[np.ndarray, "... actions"]:
        """Ids of one action or a stack of them. Continuous actions are clamped to the spec's range."""
        item, ids = self.layout.spec.action, self.layout.tokens.vocabulary
        action = np.asarray(action)
        lead = action.shape[: action.ndim - len(item.shape)]
        if lead + item.shape != action.shape or len(lead) > 1:
            raise ValueError(f"task {self.layout.spec.name!r}: action needs shape {item.shape}, found {action.shape}")
        stack = action.reshape(-1, *item.shape)
        if item.kind is Kind.CONTINUOUS:
            tokens = self._actions.encode(stack.astype(np.float32).reshape(len(stack), -1)) + ids.continuous_start
        else:
            tokens = self._discrete(item).encode(stack) + ids.discrete_start
        return tokens.reshape(*lead, -1).astype(np.int32)

    def decode_action(self, tokens: Int[np.ndarray, "... actions"]) -> np.ndarray:
        """The action the ids stand for: bin centres, or integers. Raises `ValueError` on ids that are no action's."""
        item, layout = self.layout.spec.action, self.layout
        tokens = np.asarray(tokens)
        if ((tokens < layout.action_low) | (tokens >= layout.action_high)).any():
            raise ValueError(
                f"task {layout.spec.name!r}: action ids must lie in [{layout.action_low[0]}, {layout.action_high[0]}), "
                f"found {tokens.tolist()}"
            )
        values = tokens - layout.action_low
        if item.kind is Kind.CONTINUOUS:
            decoded = self._actions.decode(values)
        else:
            codec = self._discrete(item)
            if codec.place_values:
                values = values[..., None] // np.asarray(codec.place_values) % np.asarray(codec.radix)
            decoded = values
        return decoded.reshape((*tokens.shape[:-1], *item.shape)).astype(item.dtype)

    @functools.cached_property
    def _codecs(self) -> dict[str, DiscreteCodec]:
        spec, pack = self.layout.spec, self.layout.tokens.pack_discrete
        items = [item for item in (*spec.observation, spec.action) if item.kind is Kind.DISCRETE]
        return {item.key: DiscreteCodec.build(item, pack=pack) for item in items}

    def _discrete(self, item: ItemSpec) -> DiscreteCodec:
        return self._codecs[item.key]

    def _value(self, observation: Mapping[str, Any], item: ItemSpec) -> tuple[bool, tuple[int, ...], np.ndarray]:
        try:
            array = np.asarray(lookup(observation, item.path))
        except KeyError as error:
            raise KeyError(f"task {self.layout.spec.name!r}: {error.args[0]}") from error
        is_text = item.kind is Kind.TEXT
        shape = () if is_text else item.shape
        if array.shape[array.ndim - len(shape) :] != shape or array.ndim > len(shape) + 1:
            raise ValueError(
                f"task {self.layout.spec.name!r}: observation {item.key!r} needs shape {shape}, found {array.shape}"
            )
        return is_text, shape, array

    def _encode_texts(self, item: ItemSpec, texts: np.ndarray) -> Int32[np.ndarray, "steps slots"]:
        """Ids of each text, -1 on unused places."""
        slots = self.layout.tokens.text_tokens
        assert self._text is not None  # Checked at construction.
        result = np.full((len(texts), slots), -1, np.int32)
        known: dict[str, list[int]] = {}
        for row, text in enumerate(texts):
            text = text.decode() if isinstance(text, bytes) else str(text)
            if text not in known:
                known[text] = self._text.encode(text)
            if len(known[text]) > slots:
                raise ValueError(
                    f"task {self.layout.spec.name!r}: text observation {item.key!r} takes {len(known[text])} tokens, "
                    f"expected at most tokens.text_tokens = {slots}; the text is {text!r}"
                )
            result[row, : len(known[text])] = known[text]
        return result
