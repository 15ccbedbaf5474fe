"""Episodes laid end to end in flat arrays (d4rl's layout), and the usual names of their parts. No TensorFlow."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from data_pipelines.importing.common import rules
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
    "starts": ("episode_starts", "episode_start", "starts", "is_first"),
    "lengths": ("episode_lengths", "episode_length", "lengths", "traj_lengths"),
    "episode": ("episode_index", "episode_id", "episode_idx", "episode", "trajectory_id", "traj_id"),
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


def under(prefixes: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Key -> column, for columns "<prefix>/<key>" or "<prefix>.<key>"; "<prefix>" itself has the key "observation"."""
    for prefix in prefixes:
        if prefix in columns:
            return {"observation": prefix}
        named = [name for name in columns if name.startswith((prefix + "/", prefix + "."))]
        matching = {name[len(prefix) + 1 :].replace(".", "/"): name for name in named}
        if matching:
            return matching
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


def boundaries(
    arrays: Mapping[str, Any], columns: Sequence[str], options: ControlOptions, where: str, *, rows: int | None = None
) -> np.ndarray:
    """Where each episode of flat arrays ends (the index behind its last step), ascending.

    Args:
      arrays: with all columns that `BOUNDARIES` find, and the action unless `rows` is given.
      columns: what the source has.
      options: `columns` and `action` where names are not usual ones.
      where: the file, for messages.
      rows: steps of the source; None takes those of the action.

    Raises:
      SourceError: nothing says where episodes end; only terminations do, which would join episodes that a time limit
        cut; two columns say different things; or what says it does not cover the steps exactly.
    """
    of, rows = ("the source", rows) if rows is not None else _steps(arrays, columns, options, where)
    named = {role: name for role in BOUNDARIES if (name := find(role, columns, options)) is not None}
    said: dict[str, np.ndarray] = {}
    for role, read in _EXPLICIT.items():
        name = named.get(role)
        # Beside ends, an id for each episode is a name, and no boundary.
        if name is not None and not (role == "episode" and said and np.size(arrays[name]) != rows):
            said[name] = read(where, name, arrays[name], rows, of)
    flags = [named[role] for role in ("terminated", "truncated") if role in named]
    raised = [flags_of(where, name, arrays[name], rows, of) for name in flags]
    whole = "truncated" in named or "truncated" in options.columns
    if flags and (whole or not said):
        if not whole:
            raise SourceError(
                f"{where}: {flags[0]} says where episodes end, but nothing says where time limits cut them (timeouts, "
                f'truncations), so several would be read as one; name it with --columns truncated NAME, or "" for none'
            )
        ends = np.flatnonzero(np.any(raised, axis=0)) + 1
        # What is left behind the last flag is the beginning of an episode.
        said[" and ".join(flags)] = ends if ends.size and ends[-1] == rows else np.append(ends, rows)
    if not said:
        raise SourceError(
            f"{where}: nothing says where episodes end: expected episode_ends, terminals and timeouts, or a file for "
            f"each episode; found {sorted(columns)}"
        )
    (first, ends), *others = said.items()
    for name, other in others:
        if not np.array_equal(ends, other):
            raise SourceError(
                f"{where}: {first} has {len(ends)} episodes that end at {_shown(ends)}, {name} has {len(other)} that "
                f'end at {_shown(other)}; say which is right: --columns ROLE "" leaves one out'
            )
    return ends


def flags_of(where: str, name: str, values: Any, rows: int, of: str) -> np.ndarray:
    """Flags that have an entry for each step."""
    values = np.asarray(values)
    rules.check_covers(where, {name: values.size}, rows, of=of)
    return rules.as_flags(where, name, values.reshape(-1))


def _ends(where: str, name: str, values: Any, rows: int, of: str) -> np.ndarray:
    if _is_flags(values, rows):
        ends = np.flatnonzero(rules.as_flags(where, name, np.ravel(values))) + 1
    else:
        ends = rules.as_ends(where, name, values)
    rules.check_ends(where, name, ends, rows, of=of)
    return ends


def _starts(where: str, name: str, values: Any, rows: int, of: str) -> np.ndarray:
    if np.size(values) == rows and counts_anew(np.ravel(values)):
        starts = np.append(0, np.flatnonzero(np.diff(np.ravel(values)) < 0) + 1)
    elif _is_flags(values, rows):
        starts = np.flatnonzero(rules.as_flags(where, name, np.ravel(values)))
    else:
        starts = rules.as_whole(where, name, values)
    if not starts.size or starts[0] != 0:
        raise SourceError(f"{where}: the first of {name!r} must be 0, found {_shown(starts)}")
    ends = rules.as_ends(where, name, np.append(starts[1:], rows))
    rules.check_ends(where, name, ends, rows, of=of)
    return ends


def _lengths(where: str, name: str, values: Any, rows: int, of: str) -> np.ndarray:
    ends = rules.as_ends(where, name, np.cumsum(rules.as_whole(where, name, values)))
    rules.check_ends(where, name, ends, rows, of=of)
    return ends


def _numbered(where: str, name: str, values: Any, rows: int, of: str) -> np.ndarray:
    """From a column that numbers or names the episode of each step."""
    names = np.ravel(values)
    rules.check_covers(where, {name: len(names)}, rows, of=of)
    ends = np.append(np.flatnonzero(names[1:] != names[:-1]) + 1, rows)
    values, counts = np.unique(names[ends - 1], return_counts=True)
    if (counts > 1).any():
        twice = str(values[counts > 1][0])
        raise SourceError(f"{where}: rows of {name} {twice!r} do not lie together; sort the files by {name}")
    return ends


_EXPLICIT: Mapping[str, Callable[[str, str, Any, int, str], np.ndarray]] = {
    "ends": _ends, "starts": _starts, "lengths": _lengths, "episode": _numbered
}  # fmt: skip

BOUNDARIES = (*_EXPLICIT, "terminated", "truncated")
"""Roles of columns that say where episodes end."""


def counts_anew(values: np.ndarray) -> bool:
    """Whether values rise by equal steps, and fall to the first of them again, as times inside of episodes do."""
    if values.dtype.kind not in "iuf" or len(values) < 2:
        return False
    values = values.astype(np.float64)
    rises = np.diff(values)
    falls = rises < 0
    again = bool(falls.any()) and bool((values[1:][falls] == values[0]).all())
    return again and rises[0] > 0 and np.allclose(rises[~falls], rises[0], rtol=1e-3)


def _is_flags(values: Any, rows: int) -> bool:
    values = np.asarray(values)
    return values.dtype == bool or (values.size == rows > 1 and bool(np.isin(values, (0, 1)).all()))


def _steps(arrays: Mapping[str, Any], columns: Sequence[str], options: ControlOptions, where: str) -> tuple[str, int]:
    """The column that steps are counted by, and how many there are."""
    names = [name for name in (*options.action, *usual_layout(columns, options).action) if name in columns]
    if not names:
        raise SourceError(f"no action column found; name it with action; the source has {sorted(columns)}")
    values = arrays[names[0]]
    return names[0], rules.rows_of(where, names[0], values)


def _shown(numbers: np.ndarray) -> str:
    return f"{numbers[:6].tolist()}" + (" ..." if len(numbers) > 6 else "")


def cut(
    arrays: Mapping[str, Any],
    ends: np.ndarray,
    columns: AbstractSet[str],
    *,
    prefix: str,
    start: int,
    agent: str | None = None,
) -> Iterator[RawEpisode]:
    """Episodes of flat arrays, from number `start` on.

    A column has an entry for each step, or one more for each episode (observations behind the last actions), which
    its length tells.

    Args:
      arrays, ends: as for `boundaries`.
      columns: that the episodes are to have.
      prefix: of the episodes' ids.
      start: number of the first episode.
      agent: column that may have one entry for each episode instead.

    Raises:
      SourceError: arrays of another length.
    """
    rows, count = int(ends[-1]), len(ends)
    more: dict[str, int] = {}
    for name in columns:
        length = rules.rows_of(prefix, name, arrays[name])
        if name == agent and length == count:
            continue
        if length not in (rows, rows + count):
            raise SourceError(
                f"{prefix}: {name!r} has {length} entries, but the {count} episodes have {rows} steps; expected {rows} "
                f"or {rows + count} with one more for each episode"
            )
        more[name] = int(length == rows + count)
    for number in range(start, count):
        first, last = int(ends[number - 1]) if number else 0, int(ends[number])
        yield RawEpisode(
            f"{prefix}:{number}",
            {
                name: np.asarray(
                    arrays[name][first + more[name] * number : last + more[name] * (number + 1)]
                    if name in more
                    else arrays[name][number : number + 1]
                )
                for name in columns
            },
        )
