"""Spaces of gymnasium as leaves."""

from collections.abc import Iterator
from typing import Any

import gymnasium.spaces as spaces

from data_pipelines.suites.outside import leaves
from data_pipelines.suites.outside.leaves import Leaf
from data_pipelines.suites.outside.objects import WorldError

SINGLE = "observation"
"""Key of an observation that is one array."""


def observation_leaves(space: Any) -> list[Leaf]:
    """The arrays of an observation space, sorted by key. Raises `WorldError` naming the part that cannot be one."""
    return sorted(_walk(space, (), "observation space"), key=lambda leaf: leaf.item.path)


def action_leaf(space: Any) -> Leaf:
    """The action space, which has to be one array."""
    if isinstance(space, spaces.Dict | spaces.Tuple | spaces.Text):
        raise WorldError(
            f"action space: an action is one array, found {space}; make it one (gymnasium.wrappers.TransformAction)"
        )
    return _leaf("action", (), space, "action space")


def _walk(space: Any, path: tuple[str | int, ...], name: str) -> Iterator[Leaf]:
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts: Any = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        for key, part in parts:
            if not str(key) or "/" in str(key):
                raise WorldError(f"{name}: keys are texts without '/', found {key!r}; rename it in a wrapper")
            yield from _walk(part, (*path, key), f"{name}, {key!r}")
        return
    yield _leaf("/".join(map(str, path)) or SINGLE, path, space, name)


def _leaf(key: str, path: tuple[str | int, ...], space: Any, name: str) -> Leaf:
    if isinstance(space, spaces.Box):
        return leaves.number_leaf(key, path, space.shape, space.dtype, space.low, space.high, name=name)
    if isinstance(space, spaces.Discrete):
        return leaves.discrete_leaf(key, path, space.n, space.start, name=name)
    if isinstance(space, spaces.MultiDiscrete):
        return leaves.digits_leaf(key, path, space.nvec, getattr(space, "start", 0), space.dtype, name=name)
    if isinstance(space, spaces.MultiBinary):
        shape, dtype = space.shape or (1,), space.dtype or "int8"
        return leaves.number_leaf(key, path, shape, dtype, 0, 1, name=name)
    if isinstance(space, spaces.Text):
        return leaves.text_leaf(key, path)
    raise WorldError(
        f"{name}: expected Box, Discrete, MultiDiscrete, MultiBinary, Text, or a Dict or Tuple of these, found {space}"
    )
