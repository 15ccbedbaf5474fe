"""Specs of dm_env as leaves."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from dm_env import specs

from data_pipelines.suites.outside import leaves
from data_pipelines.suites.outside.leaves import Leaf
from data_pipelines.suites.outside.objects import WorldError

SINGLE = "observation"
"""Key of an observation that is one array."""


def observation_leaves(spec: Any) -> list[Leaf]:
    """The arrays of an observation spec, sorted by key. Raises `WorldError` naming the part that cannot be one."""
    return sorted(_walk(spec, (), "observation spec"), key=lambda leaf: leaf.item.path)


def action_leaf(spec: Any) -> Leaf:
    """The action spec, which has to be one array."""
    if not isinstance(spec, specs.Array) or isinstance(spec, specs.StringArray):
        raise WorldError(f"action spec: an action is one array, found {spec}")
    return _leaf("action", (), spec, "action spec")


def _walk(spec: Any, path: tuple[str | int, ...], name: str) -> Iterator[Leaf]:
    if isinstance(spec, Mapping | list | tuple):
        parts: Any = spec.items() if isinstance(spec, Mapping) else enumerate(spec)
        for key, part in parts:
            if not str(key) or "/" in str(key):
                raise WorldError(f"{name}: keys are texts without '/', found {key!r}")
            yield from _walk(part, (*path, key), f"{name}, {key!r}")
        return
    if not isinstance(spec, specs.Array):
        raise WorldError(f"{name}: expected an array's spec, or a mapping or list of these, found {spec!r}")
    yield _leaf("/".join(map(str, path)) or SINGLE, path, spec, name)


def _leaf(key: str, path: tuple[str | int, ...], spec: Any, name: str) -> Leaf:
    if isinstance(spec, specs.StringArray):
        if spec.shape:
            raise WorldError(f"{name}: a textual observation is one string, found shape {spec.shape}")
        return leaves.text_leaf(key, path)
    low, high = -np.inf, np.inf
    if isinstance(spec, specs.BoundedArray):
        low, high = spec.minimum, spec.maximum
    elif spec.dtype.kind == "b" or spec.dtype == np.uint8:
        low, high = 0, 1 if spec.dtype.kind == "b" else 255
    return leaves.number_leaf(key, path, spec.shape, spec.dtype, low, high, name=name)
