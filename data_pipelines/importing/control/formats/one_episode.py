"""Files that hold one episode each, as folders of npz and HDF5 files do: that it is one, and what it must keep to.

No TensorFlow.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_pipelines.importing.common import rules
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.episodes import Layout
from data_pipelines.importing.control.formats import flat
from data_pipelines.importing.control.options import ControlOptions

Arrays = Mapping[str, Any]
"""Name -> an array, or a data set of a file, which NumPy can read."""

_SOUNDS = re.compile(
    "episode|traj|rollout|demo|start|first|last|end|done|mask|len|bound|termina|timeout|trunc|ptr|reset"
    "|over(?![a-z])|final|finish|contin|discount|split|offset|cut|eos|bos|(?<![a-z])(?:is_?)?(?:new|fin)(?![a-z])"
)
"""Names of arrays that may say where episodes end."""

_NAMES_EPISODES = re.compile(
    "episode|traj|rollout|demo"
    "|(?<![a-z])(?:eps?|path|seq|sequence|game|trial|run|seed|env|clip|scene|session|video)s?(?![a-z])"
)
"""Names of columns that may number or name the episode of each step."""


def holds_several(arrays: Arrays, columns: Sequence[str], options: ControlOptions, where: str) -> bool:
    """Whether a file holds several episodes: it says where they end before its own end, or where each does.

    Args:
      arrays: the file's columns.
      columns: their names.
      options: `columns` where names are not usual ones.
      where: the file, for messages.
    """
    if flat.find("ends", columns, options) is not None:
        return True
    parts = {"starts": slice(1, None), "terminated": slice(-1), "truncated": slice(-1)}
    for role, part in parts.items():
        name = flat.find(role, columns, options)
        values = None if name is None else np.asarray(arrays[name])
        # Starts may be positions; what they are is told apart where they are read.
        if name is not None and values is not None and values.ndim:
            flags = values.ravel() != 0 if role == "starts" else rules.as_flags(where, name, values)
            if flags[part].any():
                return True
    lengths = flat.find("lengths", columns, options)
    if lengths is not None and np.size(arrays[lengths]) > 1:
        return True
    episode = flat.find("episode", columns, options)
    return episode is not None and np.unique(np.asarray(arrays[episode])).size > 1


def ended(arrays: Arrays, columns: Sequence[str], options: ControlOptions, where: str) -> bool | None:
    """Whether the environment ended the episode, where a flag for it or for its last step says so."""
    name = flat.find("terminated", columns, options)
    values = np.zeros(0) if name is None else np.asarray(arrays[name])
    if name is None or not values.size:
        return None
    return bool(rules.as_flags(where, name, values.reshape(-1))[-1])


def check_length(arrays: Arrays, columns: Sequence[str], layout: Layout, options: ControlOptions, where: str) -> None:
    """Compares the length that a file declares, and those of its flags, with its actions.

    Raises:
      SourceError: they differ.
    """
    action = _action(arrays, columns, layout, options)
    if action is None:
        return
    steps = len(arrays[action])
    if (name := flat.find("lengths", columns, options)) is not None:
        length = rules.as_whole(where, name, np.asarray(arrays[name]))
        rules.check_declared(f"{where}: {name!r}", "steps", int(length[0]), steps)
    for role in ("terminated", "truncated"):
        name = flat.find(role, columns, options)
        if name is not None and np.ndim(arrays[name]):  # One flag may stand for the episode.
            rules.check_covers(where, {name: np.size(arrays[name])}, steps, of=action, more=1)


def check_boundaries_are_read(
    arrays: Arrays, columns: Sequence[str], layout: Layout, options: ControlOptions, where: str
) -> None:
    """Refuses a file that is read as one episode, but has an array that looks as if it said otherwise.

    Lengths that add up to the steps, positions that end there and a count that begins anew tell by themselves, whatever
    they are called. Flags, other positions and ids must also be named so.

    Raises:
      SourceError: there is one, and the user did not say with `ends ""` that there is none.
    """
    action = _action(arrays, columns, layout, options)
    if action is None or options.columns.get("ends") == "":
        return
    steps = len(arrays[action])
    read = {*layout.columns, *options.observation.values(), *options.action}
    read |= {name for name in (*options.columns.values(), options.agent) if name}
    for name in columns:
        if name in read or np.ndim(arrays[name]) not in (1, 2):
            continue
        if _divides(values := np.asarray(arrays[name]), steps, name.lower()):
            raise SourceError(
                f"{where}: nothing that is read says where episodes end, so it would be one episode of {steps} steps, "
                f"but {name!r} with {values.size} entries may: name what it is with --columns (ends; starts, also a "
                f"count that begins anew; lengths, episode, terminated or truncated) {name}, or say "
                f'--columns ends ""'
            )


def _action(arrays: Arrays, columns: Sequence[str], layout: Layout, options: ControlOptions) -> str | None:
    """The column that steps are counted by."""
    names = (*options.action, *layout.action)
    return next((name for name in names if name in columns and np.ndim(arrays[name])), None)


def _divides(values: np.ndarray, steps: int, name: str) -> bool:
    """Whether an array of that name could divide the steps."""
    if values.size < 2 or values.dtype.kind not in "biufSU":
        return False
    if len(values) in (steps, steps + 1) and values.size == len(values):
        return _divides_each(values.ravel(), name)
    return len(values) < steps and values.dtype.kind in "iu" and _divides_whole(values, steps, name)


def _divides_each(values: np.ndarray, name: str) -> bool:
    """Values [T], one for each step: flags, ids of episodes, or a count of their steps."""
    if len(np.unique(values)) <= 2 and values.dtype.kind in "biuf":
        # The first and the last step may be marked anyway. A discount is 0.99 and 0.
        return _SOUNDS.search(name) is not None and bool((values[1:-1] != values[1:2]).any())
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    if _NAMES_EPISODES.search(name) is not None and values.dtype.kind in "iuSU" and 0 < len(changes) < len(values) - 1:
        return True
    return flat.counts_anew(values)


def _divides_whole(values: np.ndarray, steps: int, name: str) -> bool:
    """Whole numbers [E] or [E, 2] of E episodes: their lengths, or positions."""
    numbers = values.ravel()
    if numbers.min() < 0 or numbers.max() > steps:
        return False
    rises = np.diff(numbers.astype(np.int64))
    if values.size > len(values):  # First and last step of each episode.
        return values.shape[1] == 2 and bool((rises >= 0).all() and numbers[-1] in (steps - 1, steps))
    positions = bool((rises > 0).all())
    told = int(numbers.sum()) == steps or (positions and numbers[-1] in (steps - 1, steps))
    return told or (positions and _SOUNDS.search(name) is not None)
