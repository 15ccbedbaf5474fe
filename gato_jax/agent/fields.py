"""Timesteps as the model's input fields: joined, cut, and padded. NumPy.

Dimensions: N environments, n places, L places of a timestep.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from data_pipelines.schema import PATCH_VALUES
from data_pipelines.tokenizers.layout import TimestepLayout
from data_pipelines.vocabulary import TokenType
from gato_jax.model.gato import INPUTS, PATCH_INPUTS

PLACES = tuple(name for name in INPUTS if name != "positions")
"""Inputs of each place that do not depend on where its timestep stands."""

Fields = Mapping[str, Any]
"""The model's input fields for some places of every environment: [N, n], patches [N, p, ...]."""


def timestep_fields(
    observation: Fields, action: Int[np.ndarray, "envs actions"], layout: TimestepLayout
) -> dict[str, np.ndarray]:
    """One whole timestep from the observation's fields and the action's ids, or the first of them."""
    ones = np.ones_like(action)
    added = {
        "tokens": action,
        "token_type": ones * int(TokenType.ACTION),
        "observation_position": ones * layout.action_position[: action.shape[1]],
        "segment_ids": ones,
    }
    patches = {name: observation[name] for name in PATCH_INPUTS if name in observation}
    return {name: np.concatenate([observation[name], new], axis=1) for name, new in added.items()} | patches


def concatenate(parts: Sequence[Fields], *, start: int = 0) -> dict[str, np.ndarray]:
    """Joins pieces of a sequence into the model's inputs: positions count from `start`, patch slots are shifted."""
    result = {
        name: np.concatenate([part[name] for part in parts], axis=1).astype(np.int32)
        for name in INPUTS
        if name != "positions"
    }
    rows, count = result["tokens"].shape
    result["positions"] = np.broadcast_to(np.arange(start, start + count, dtype=np.int32), (rows, count))
    if parts[0].get("patches") is None or sum(part["patches"].shape[1] for part in parts) == 0:
        return result
    offsets = np.cumsum([0, *(part["tokens"].shape[1] for part in parts[:-1])])
    result["patches"] = np.concatenate([part["patches"] for part in parts], axis=1)
    result["patch_interval"] = np.concatenate([part["patch_interval"] for part in parts], axis=1)
    slots = [part["patch_slot"] + offset for part, offset in zip(parts, offsets, strict=True)]
    result["patch_slot"] = np.concatenate(slots, axis=1).astype(np.int32)
    return result


def prompt_fields(prompts: Sequence[Sequence[Fields]], layout: TimestepLayout, *, timesteps: int) -> Fields:
    """Prompts of some environments as rows of `timesteps` whole timesteps, with padding behind the shorter ones.

    Args:
      prompts: of each environment, its timesteps as `timestep_fields` makes them, [1, L].
    """
    places, patches = timesteps * layout.length, timesteps * layout.patches
    rows = [concatenate(prompt) if prompt else {} for prompt in prompts]
    fields: dict[str, Any] = {name: np.zeros((len(rows), places), np.int32) for name in PLACES}
    if patches:
        fields["patches"] = np.zeros((len(rows), patches, PATCH_VALUES), np.uint8)
        fields["patch_interval"] = np.zeros((len(rows), patches, 4), np.int32)
        fields["patch_slot"] = np.full((len(rows), patches), places, np.int32)
    for row, given in enumerate(rows):
        for name, array in given.items():
            if name in fields:
                fields[name][row, : array.shape[1]] = array[0]
    return fields


def without_positions(observation: Fields, layout: TimestepLayout) -> Fields:
    """What the network reads of an observation; a timestep's positions are known where it is read."""
    names = (*PLACES, *(PATCH_INPUTS if layout.patches else ()))
    return {name: np.asarray(observation[name]) for name in names}


def blank(layout: TimestepLayout, rows: int) -> Fields:
    """Observations of the right shape without anything in them."""
    places = layout.separator_place + 1
    fields: dict[str, Any] = {name: np.zeros((rows, places), np.int32) for name in PLACES}
    if layout.patches:
        fields["patches"] = np.zeros((rows, layout.patches, PATCH_VALUES), np.uint8)
        fields["patch_slot"] = np.broadcast_to(layout.patch_slots, (rows, layout.patches)).copy()
        fields["patch_interval"] = np.broadcast_to(layout.patch_interval, (rows, layout.patches, 4)).copy()
    return fields
