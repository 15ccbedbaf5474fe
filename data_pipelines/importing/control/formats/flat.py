"""Episodes laid end to end in flat arrays (d4rl's layout), and the usual names of their parts. No TensorFlow."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.episodes import Layout, RawEpisode
from data_pipelines.importing.control.options import ControlOptions

NAMES: Mapping[str, tuple[str, ...]] = {
    "observation": ("observation", "observations", "obs"),
    "action": ("action", "actions"),
    "next_observation": ("next_observations", "next_observation", "next_obs"),
    "reward": ("reward", "rewards", "next.reward"),
    "terminated": ("terminal", "terminals", "terminated", "terminations", "done", "dones", "is_terminal", "next.done"),
    "truncated": ("timeouts", "timeout", "truncated", "truncations"),
    "ends": ("episode_ends", "ends"),
    "episode": ("episode_index", "episode_id", "episode", "trajectory_id", "traj_id"),
    "order": ("frame_index", "step", "step_index", "timestep", "index"),
    "instruction": ("instruction", "language_instruction", "task"),
}
"""Usual names of each part, the most telling first."""


def find(role: str, columns: Sequence[str], options: ControlOptions) -> str | None:
    """The column of a role: as the user says ("" for none), else the first usual name there is, else None.

    Raises:
      SourceError: the column that was named is not there.
    """
    if role in options.columns:
        name = options.columns[role]
        if name and name not in columns:
            raise SourceError(f"columns: no {role} column {name!r}, found {sorted(columns)}")
        return name or None
    return next((name for name in NAMES[role] if name in columns), None)


def under(prefixes: Iterable[str], columns: Sequence[str]) -> dict[str, str]:
    """Key -> column, for columns "<prefix>/<key>" or "<prefix>.<key>"; "<prefix>" itself has the key "observation"."""
    for prefix in prefixes:
        if prefix in columns:
            return {"observation": prefix}
        named = [name for name in columns if name.startswith((prefix + "/", prefix + "."))]
        found = {name[len(prefix) + 1 :].replace(".", "/"): name for name in named}
        if found:
            return found
    return {}


def usual_layout(columns: Sequence[str], options: ControlOptions) -> Layout:
    """Observation, action and reward by their usual names."""
    action = next((name for name in NAMES["action"] if name in columns), None)
    joined = tuple(under(NAMES["action"], columns).values()) if action is None else (action,)
    terminal = find("terminated", columns, options)
    return Layout(
        observation=under(NAMES["observation"], columns),
        action=joined,
        reward=find("reward", columns, options),
        last_observation=under(NAMES["next_observation"], columns),
        is_terminal=terminal,
    )


def boundaries(arrays: Mapping[str, Any], columns: Sequence[str], options: ControlOptions, where: str) -> np.ndarray:
    """Where each episode of flat arrays ends (the index behind its last step), ascending.

    Raises:
      SourceError: nothing says where episodes end; or only terminations do, which would join episodes that a time
        limit cut.
    """
    if (ends := find("ends", columns, options)) is not None:
        found = np.asarray(arrays[ends]).ravel().astype(np.int64)
        if found.size and (np.diff(found, prepend=0) <= 0).any():
            raise SourceError(f"{where}: {ends} must rise from above 0, found {found[:8].tolist()}")
        return found
    terminated, truncated = find("terminated", columns, options), find("truncated", columns, options)
    if terminated is None and truncated is None:
        raise SourceError(
            f"{where}: nothing says where episodes end: expected episode_ends, terminals and timeouts, or a file for "
            f"each episode; found {sorted(columns)}"
        )
    if truncated is None and "truncated" not in options.columns:
        raise SourceError(
            f"{where}: {terminated} says where episodes end, but nothing says where time limits cut them (timeouts, "
            f'truncations), so several would be read as one; name it with --columns truncated NAME, or "" for none'
        )
    names = [name for name in (terminated, truncated) if name is not None]
    flags = np.any([np.asarray(arrays[name]).ravel().astype(bool) for name in names], axis=0)
    found = np.flatnonzero(flags) + 1
    # What is left behind the last flag is the beginning of an episode.
    return found if found.size and found[-1] == len(flags) else np.append(found, len(flags))


def cut(
    arrays: Mapping[str, Any], ends: np.ndarray, columns: Iterable[str], *, prefix: str, start: int
) -> Iterator[RawEpisode]:
    """Episodes of flat arrays, from number `start` on. Raises `SourceError` for arrays of another length."""
    wanted = list(columns)
    for name in wanted:
        if len(arrays[name]) < ends[-1]:
            raise SourceError(f"{prefix}: episodes end at {int(ends[-1])}, but {name!r} has {len(arrays[name])} steps")
    for number in range(start, len(ends)):
        first = int(ends[number - 1]) if number else 0
        steps = slice(first, int(ends[number]))
        yield RawEpisode(f"{prefix}:{number}", {name: np.asarray(arrays[name][steps]) for name in wanted})
