"""Episodes of one policy in one task, and the file that keeps them.

While a task is played, each group of episodes is written to a file of its own, so that an interrupt costs one group and
memory does not grow with the number of episodes. `merge` makes one file of them.
"""

import dataclasses
import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines import atomic_files
from data_pipelines.config_json import decode, encode
from data_pipelines.spec import World

_ARRAYS = ("actions", "rewards")
_META = "meta"


@dataclasses.dataclass(frozen=True, eq=False)
class Rollout:
    """Episodes of one task.

    Args:
      task: name.
      decode: "argmax" or "sample"; the name of a baseline.
      seeds: `reset_to` seed of each episode that was played to its end.
      returns, lengths: undiscounted return and number of steps of each episode.
      success: of each episode at its last step, empty where the task has no notion of it.
      actions: executed actions of each episode, [length, ...]; empty where only the scores were loaded.
      rewards: of each episode, [length]; empty likewise.
      seconds: wall time, compiling included.
      failures: seed -> why an episode could not be played to its end; such episodes are in none of the lists above.
      notes: what else is worth knowing, such as the prompts.
      world: where the task is played, if that is outside this package.
      ever: whether each episode was a success at any of its steps; empty like `success`, and in older files.
      truncated: whether each episode was cut by a limit of steps, rather than ended by its task; empty in older files.
    """

    task: str
    decode: str
    seeds: Sequence[int]
    returns: Sequence[float]
    lengths: Sequence[int]
    success: Sequence[bool]
    actions: Sequence[np.ndarray]
    rewards: Sequence[np.ndarray]
    seconds: float
    failures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    world: World | None = None
    ever: Sequence[bool] = ()
    truncated: Sequence[bool] = ()

    def save(self, path: Path, *, settings: Mapping[str, Any]) -> None:
        """Writes one npz (arrays and JSON, no pickle), whole or not at all."""
        arrays = {f"{kind}_{i}": array for kind in _ARRAYS for i, array in enumerate(getattr(self, kind))}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays, **{_META: _meta_array(self, settings)})
        atomic_files.write_bytes(path, buffer.getvalue())


def _meta_array(rollout: Rollout, settings: Mapping[str, Any]) -> np.ndarray:
    fields = {field.name: getattr(rollout, field.name) for field in dataclasses.fields(rollout)}
    meta = {"settings": settings, **{name: value for name, value in fields.items() if name not in _ARRAYS}}
    meta["world"] = encode(rollout.world)
    return np.frombuffer(json.dumps(meta).encode(), np.uint8)


def load_rollout(path: Path, *, arrays: bool = True) -> tuple[Rollout, dict[str, Any]]:
    """A saved rollout and the settings it was made with.

    Args:
      path: the file.
      arrays: also actions and rewards; without them memory does not grow with the episodes' lengths.

    Raises:
      ValueError: any other file.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            meta = json.loads(data[_META].tobytes())
            episodes = range(len(meta["seeds"]) if arrays else 0)
            world = meta.pop("world", None)  # Absent in what earlier versions wrote.
            fields: dict[str, Any] = {key: value for key, value in meta.items() if key != "settings"}
            fields |= {kind: [data[f"{kind}_{i}"] for i in episodes] for kind in _ARRAYS}
            rollout = Rollout(**fields, world=None if world is None else decode(World, world, path="world"))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a saved rollout: {error}") from error
    return rollout, meta["settings"]


def parts_of(path: Path) -> Path:
    """Directory of the groups of episodes that a rollout's file is made of while it is played."""
    return path.parent.with_name(f".{path.parent.name}-in-progress") / path.stem


def saved_part(path: Path, first: int, settings: Mapping[str, Any]) -> bool:
    """Whether the group whose first seed is `first` was saved, with these settings."""
    part = parts_of(path) / f"{first}.npz"
    return part.is_file() and load_rollout(part, arrays=False)[1] == settings


def merge(path: Path, firsts: Sequence[int], *, settings: Mapping[str, Any]) -> Rollout:
    """Makes one file of the groups of a rollout, and removes them.

    Args:
      path: of the rollout.
      firsts: first seed of each group, in order.
      settings: stored with it.

    Returns:
      The whole rollout, without actions and rewards.
    """
    parts = [parts_of(path) / f"{first}.npz" for first in firsts]
    whole = _joined([load_rollout(part, arrays=False)[0] for part in parts])
    work = parts_of(path) / "whole.npz"
    number = 0
    with zipfile.ZipFile(work, "w", zipfile.ZIP_DEFLATED) as out:
        for part in parts:
            with zipfile.ZipFile(part) as group:
                # One array at a time is in memory.
                for i in range(len([name for name in group.namelist() if name.startswith(_ARRAYS[0])])):
                    for kind in _ARRAYS:
                        out.writestr(f"{kind}_{number}.npy", group.read(f"{kind}_{i}.npy"))
                    number += 1
        buffer = io.BytesIO()
        np.save(buffer, _meta_array(whole, settings), allow_pickle=False)
        out.writestr(f"{_META}.npy", buffer.getvalue())
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(work, path)
    shutil.rmtree(parts_of(path))
    if not any(parts_of(path).parent.iterdir()):
        parts_of(path).parent.rmdir()
    return whole


def _joined(groups: Sequence[Rollout]) -> Rollout:
    """Groups of one task as one rollout, without arrays. Notes that are mappings are joined too."""
    lists = ("seeds", "returns", "lengths", "success", "ever", "truncated")
    notes: dict[str, Any] = {}
    for group in groups:
        for name, value in group.notes.items():
            notes[name] = {**notes.get(name, {}), **value} if isinstance(value, Mapping) else value
    joined: dict[str, Any] = {name: [value for group in groups for value in getattr(group, name)] for name in lists}
    return dataclasses.replace(
        groups[0],
        **joined,
        seconds=sum(group.seconds for group in groups),
        failures={seed: reason for group in groups for seed, reason in group.failures.items()},
        notes=notes,
        actions=[],
        rewards=[],
    )
