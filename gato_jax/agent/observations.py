"""Observations of environments as they come: nested or by path, of one environment or of many in one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data_pipelines.spec import Kind, TaskSpec, lookup


def nested(observation: Mapping[str, Any]) -> dict[str, Any]:
    """Keys such as "walker/joints" as nested dicts; what is nested stays so."""
    tree: dict[str, Any] = {}
    for key, value in observation.items():
        *parents, name = str(key).split("/")
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
        node[name] = nested(value) if isinstance(value, Mapping) else value
    return tree


def is_batch(observation: Mapping[str, Any], spec: TaskSpec) -> bool:
    """Whether the first array has one more axis in front than the spec says."""
    item = spec.observation[0]
    rank = 0 if item.kind is Kind.TEXT else len(item.shape)
    try:
        return np.ndim(lookup(nested(observation), item.path)) > rank
    except KeyError:
        return False  # What is missing is said where it becomes tokens.


def lengths_of(batch: Mapping[str, Any], spec: TaskSpec) -> set[int]:
    """Sizes of the first axes of the spec's items; -1 for a missing item, and for one without an axis."""
    try:
        values = [lookup(batch, item.path) for item in spec.observation]
    except KeyError:
        return {-1}
    return {len(value) if np.ndim(value) else -1 for value in values}


def rows_of(batch: Mapping[str, Any], spec: TaskSpec, rows: int) -> list[dict[str, Any]]:
    """One observation for each environment; a missing item is left out, which is said where it becomes tokens.

    Raises:
      ValueError: an item is not there for all environments.
    """
    observations: list[dict[str, Any]] = [{} for _ in range(rows)]
    for item in spec.observation:
        try:
            values = lookup(batch, item.path)
        except KeyError:
            continue
        if np.ndim(values) < 1 or len(values) != rows:
            count = "one" if np.ndim(values) < 1 else len(values)
            raise ValueError(f"key {item.key!r}: expected {rows} observations, one per seed, found {count}")
        for observation, value in zip(observations, values, strict=True):
            observation[item.key] = value
    return [nested(observation) for observation in observations]
