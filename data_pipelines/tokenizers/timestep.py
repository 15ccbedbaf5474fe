"""Tokens of timesteps in NumPy: what an acting agent uses. The twin of `tokenizers.tf.timestep`."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, Int32

from data_pipelines.errors import Failures, Origin, TimestepError, describe
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers import checks, continuous, images
from data_pipelines.tokenizers.discrete import DiscreteCodec
from data_pipelines.tokenizers.layout import Place, TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer

__all__ = ["Place", "TimestepLayout", "TimestepTokenizer", "TokenConfig"]


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

    def encode_observation(
        self, observation: Mapping[str, Any], *, origin: Origin | None = None
    ) -> dict[str, np.ndarray]:
        """Tokens of one observation (nested dict as in the spec), up to and including the separator.

        Every array of the observation may carry one more leading axis (environments, or time); so do the results.

        Args:
          observation: one, or a stack.
          origin: which episodes and timesteps these are, for messages.

        Returns:
          tokens, token_type, observation_position, segment_ids int32 and loss_mask float32 of [..., n], n =
          `layout.separator_place + 1` (segment_ids is 1, or 0 on unused places of text, which are padding);
          patches uint8 [..., patches, 768], patch_slot int32 [..., patches] (place inside the timestep) and
          patch_interval int32 [..., patches, 4].

        Raises:
          TimestepError: a key is missing, or its shape, dtype or values are not what the spec says.
        """
        layout, ids = self.layout, self.layout.tokens.vocabulary
        arrays, batched = self._arrays(observation, origin)
        steps = len(next(iter(arrays.values())))
        texts = {key: self._texts(array) for key, array in arrays.items() if self._item(key).kind is Kind.TEXT}
        self._check_values(arrays, texts, origin)
        count = layout.separator_place + 1
        tokens = np.zeros((steps, count), np.int32)
        valid = np.ones((steps, count), bool)
        patches = [np.zeros((steps, 0, images.PATCH_VALUES), np.uint8)]
        for place in layout.places:
            item, array = place.item, arrays[place.item.key]
            if item.kind is Kind.TEXT:
                for row, (_, pieces) in enumerate(texts[item.key]):
                    tokens[row, place.start : place.start + len(pieces)] = pieces
                    valid[row, place.start + len(pieces) : place.stop] = False
            elif item.kind is Kind.IMAGE:
                patches.append(images.patchify(array, layout.tokens.image_fit))
            elif item.kind is Kind.DISCRETE:
                tokens[:, place.slice] = self._discrete(item).encode(array) + ids.discrete_start
            else:
                tokens[:, place.slice] = self._observations.encode(_float32(array)) + ids.continuous_start
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

    def encode_environments(
        self, observations: Sequence[Mapping[str, Any]], *, failures: Failures, origin: Origin
    ) -> dict[str, np.ndarray]:
        """Tokens of one observation of each environment, as `encode_observation` gives them.

        An observation that cannot become tokens marks its environment as failed, and those of another stand in for it.

        Args:
          observations: nested dicts as in the spec.
          failures: gains what fails.
          origin: names of the environments' episodes, and the timestep.

        Raises:
          TimestepError: no environment is left.
        """
        spec = self.layout.spec
        try:
            shown = stack(failures.stand_in(observations), spec, origin)
            return self.encode_observation(shown, origin=origin)
        except TimestepError:
            failures.check()
        for row in failures.survivors:
            try:
                alone = stack([observations[row]], spec, origin.row(row))
                self.encode_observation(alone, origin=origin.row(row))
            except TimestepError as error:
                failures[row] = error
        return self.encode_observation(stack(failures.stand_in(observations), spec, origin), origin=origin)

    def encode_action(
        self, action: np.ndarray, *, key: str = "action", origin: Origin | None = None
    ) -> Int32[np.ndarray, "... actions"]:
        """Ids of one action or a stack of them.

        Raises:
          TimestepError: shape, dtype or values are not what the spec says; `key` and `origin` are for its message.
        """
        item, ids = self.layout.spec.action, self.layout.tokens.vocabulary
        action = np.asarray(action)
        lead = action.shape[:1] if action.ndim > len(item.shape) else ()
        checks.check_item(self.layout.spec.name, item, action.shape[len(lead) :], action.dtype, key=key, origin=origin)
        stack = action.reshape(-1, *item.shape)
        kinds = (_finite, _between) if item.kind is Kind.CONTINUOUS else (_in_range,)
        checks.raise_first(self.layout.spec.name, [check([item], [stack], key) for check in kinds], origin)
        if item.kind is Kind.CONTINUOUS:
            tokens = self._actions.encode(_float32(stack)) + ids.continuous_start
        else:
            tokens = self._discrete(item).encode(stack) + ids.discrete_start
        return tokens.reshape(*lead, -1).astype(np.int32)

    def no_action(self, row: int, origin: Origin) -> TimestepError:
        """What is wrong with an environment for whose action the model has no finite scores."""
        expected, actual = "finite logits of all legal ids", "nan or inf"
        return TimestepError(describe(self.layout.spec.name, "action", expected, actual, **origin.at(row)))

    def decode_environments(self, tokens: Int[np.ndarray, "envs actions"], failures: Failures) -> np.ndarray:
        """Actions of the environments; NaN, or -1 for integers, where one has failed."""
        legal = [self.layout.action_low if row in failures else ids for row, ids in enumerate(tokens)]
        actions = self.decode_action(np.reshape(legal, tokens.shape))
        # Cast so that -1 becomes the largest value of an unsigned type.
        nothing = np.asarray(np.nan if np.issubdtype(actions.dtype, np.floating) else -1).astype(actions.dtype)
        actions[list(failures)] = nothing
        return actions

    def decode_action(self, tokens: Int[np.ndarray, "... actions"]) -> np.ndarray:
        """The action the ids stand for: bin centres, or integers. Raises `ValueError` on ids that are no action's."""
        item, layout = self.layout.spec.action, self.layout
        tokens = np.asarray(tokens)
        if ((tokens < layout.action_low) | (tokens >= layout.action_high)).any():
            ranges = dict.fromkeys(zip(layout.action_low.tolist(), layout.action_high.tolist(), strict=True))
            legal = ", ".join(f"[{low}, {high})" for low, high in ranges)
            raise ValueError(f"task {layout.spec.name!r}: action ids must lie in {legal}, found {tokens.tolist()}")
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

    @functools.cached_property
    def _items(self) -> dict[str, ItemSpec]:
        return {place.item.key: place.item for place in self.layout.places}

    def _item(self, key: str) -> ItemSpec:
        return self._items[key]

    def _discrete(self, item: ItemSpec) -> DiscreteCodec:
        return self._codecs[item.key]

    def _arrays(self, observation: Mapping[str, Any], origin: Origin | None) -> tuple[dict[str, np.ndarray], bool]:
        """Arrays of all items with a leading axis, shapes and dtypes checked, and whether the axis was there."""
        task = self.layout.spec.name
        where = {} if origin is None else origin.at(0)
        arrays, batched, steps = {}, False, 1
        for number, place in enumerate(self.layout.places):
            item = place.item
            array = np.asarray(checks.find(task, observation, item, origin=origin))
            rank = 0 if item.kind is Kind.TEXT else len(item.shape)
            if number == 0:
                batched = array.ndim > rank
                steps = len(array) if batched else 1
            lead, shape = (array.shape[:1], array.shape[1:]) if batched else ((1,), array.shape)
            checks.check_item(task, item, shape, array.dtype, origin=origin)
            if lead != (steps,):
                expected, actual = f"{steps} timesteps, as {self.layout.places[0].item.key!r} has", f"{len(array)}"
                raise TimestepError(describe(task, item.key, expected, actual, **where))
            arrays[item.key] = array if batched else array[None]
        return arrays, batched

    def _texts(self, texts: np.ndarray) -> list[tuple[str, list[int]]]:
        """Each text and its ids."""
        assert self._text is not None  # Checked at construction.
        encoded: dict[str, list[int]] = {}
        strings = [text.decode() if isinstance(text, bytes) else str(text) for text in texts]
        for text in strings:
            if text not in encoded:
                encoded[text] = self._text.encode(text)
        return [(text, encoded[text]) for text in strings]

    def _check_values(self, arrays: Mapping[str, np.ndarray], texts: Mapping[str, list], origin: Origin | None) -> None:
        of_kind = {kind: [item for item in self._items.values() if item.kind is kind] for kind in Kind}
        value_checks = []
        if items := of_kind[Kind.TEXT]:
            slots = self.layout.tokens.text_tokens
            columns = [checks.text_column(item, slots) for item in items]
            rows = [texts[item.key] for item in items]
            bad = np.array([[len(pieces) > slots for _, pieces in column] for column in rows]).T
            value_checks.append(
                checks.Check(bad, columns, lambda row, i: f"{len(rows[i][row][1])} tokens: {rows[i][row][0]!r}")
            )
        if items := of_kind[Kind.DISCRETE]:
            value_checks.append(_in_range(items, [arrays[item.key] for item in items]))
        if items := of_kind[Kind.CONTINUOUS]:
            value_checks.append(_finite(items, [arrays[item.key] for item in items]))
        checks.raise_first(self.layout.spec.name, value_checks, origin)


def stack(observations: Sequence[Mapping[str, Any]], spec: TaskSpec, origin: Origin) -> dict[str, Any]:
    """A list of observations as one with a leading axis, holding the spec's items only.

    Raises:
      TimestepError: an item is missing, or is not what the spec says.
    """
    tree: dict[str, Any] = {}
    for item in spec.observation:
        node = tree
        for part in item.path[:-1]:
            node = node.setdefault(part, {})
        values = []
        for row, observation in enumerate(observations):
            where = origin.row(row)
            value = np.asarray(checks.find(spec.name, observation, item, origin=where))
            checks.check_item(spec.name, item, value.shape, value.dtype, origin=where)
            values.append(value)
        node[item.path[-1]] = np.asarray(values)
    return tree


def _float32(values: np.ndarray) -> np.ndarray:
    """[steps, ...] to float32 [steps, size]; what is too large for it becomes infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32).reshape(len(values), -1)


def _finite(items: list[ItemSpec], arrays: list[np.ndarray], key: str = "") -> checks.Check:
    columns = [column for item in items for column in checks.finite_columns(item, key)]
    return checks.is_finite(np.concatenate([_float32(array) for array in arrays], axis=1), columns)


def _between(items: list[ItemSpec], arrays: list[np.ndarray], key: str = "") -> checks.Check:
    (item,), (array,) = items, arrays
    return checks.is_between(_float32(array), item.low, item.high, checks.action_columns(item, key))


def _in_range(items: list[ItemSpec], arrays: list[np.ndarray], key: str = "") -> checks.Check:
    columns = [column for item in items for column in checks.integer_columns(item, key)]
    limits = np.concatenate([DiscreteCodec.limits(item).ravel() for item in items])
    # Before the cast to 32 bits, which would bring some values back into the range.
    values = [np.asarray(array).astype(np.int64).reshape(len(array), -1) for array in arrays]
    return checks.is_in_range(np.concatenate(values, axis=1), limits, columns)
