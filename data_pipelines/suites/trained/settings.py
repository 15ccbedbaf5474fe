"""What the catalog knows of trained policies, without a simulator: which weights, and how they are asked."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.read_json import read_json
from data_pipelines.suites.trained.features import StateFeatures

WEIGHTS = pathlib.Path(__file__).parent / "weights"
RECORDS = "weights.json"
"""File beside the weights: of each, its SHA-256 and how it was trained."""

POLICY = "policy"
"""Its key in `Task.settings`."""


@dataclasses.dataclass(frozen=True)
class TrainedPolicy:
    """What acts, and how it is asked.

    Args:
      weights: name of its file, without the ending.
      features: what the network sees.
      repeat: environment steps that an action is held.
    """

    weights: str
    features: StateFeatures
    repeat: int = 1


def described(policy: TrainedPolicy) -> Mapping[str, Any]:
    """What `Task.settings` says of a policy, so that data of other weights is not taken for its."""
    digest = record_of(policy.weights)["sha256"]
    return {POLICY: {"weights": policy.weights, "sha256": digest, "repeat": policy.repeat} | {
        "features": encode(policy.features)
    }}  # fmt: skip


def record_of(name: str, directory: pathlib.Path = WEIGHTS) -> Mapping[str, Any]:
    """Of the weights of this name: their digest, and the command that trained them.

    Raises:
      ValueError: no policy has this name.
    """
    records = _records(directory)
    if name not in records:
        raise ValueError(f"trained policy: expected one of {sorted(records)}, found {name!r}")
    return records[name]


@functools.cache
def _records(directory: pathlib.Path) -> Mapping[str, Any]:
    return read_json(directory / RECORDS, "the table of trained policies")
