"""What every control source must keep to, whatever its format: one module, so that no format invents its own.

A reader of a format calls these while it opens and cuts its source; `interpret` and `open_source` call the rest for all
formats, so a reader has nothing to do for them:

| who calls | rule |
|---|---|
| `registry.open_source` | `check_split`: a split that the source lacks is an error. A reader that has splits of its own names them in `reader.splits` and reads the one asked for; one without has `splits = ()` |
| `conventions.interpret` | `check_values`, `check_covers`: action, reward, flags and observation have allowed dtypes and ranks, and cover the same T rows (observation and flags: T, or all N + 1); `broken_chain`: `next_observations[t]` is `observations[t + 1]`; `one_agent`: one agent per episode |
| `flat.boundaries` | `as_flags`, `as_ends`, `check_ends`: flags and ends cover the rows of the action exactly, and whatever says where episodes end says the same |
| `tables.StepRows` | rows of an episode lie together, in one file or going on in the next by a column that counts them, without holes |
| a reader that knows a number | `check_declared`: what was read is compared with every number that the source declares |
| a reader of several files or groups | `in_some_only`: a note for what only some of them have |
| every reader | `source_files.file_stamp(root, files)` as its `stamp`, which also refuses Git LFS pointers |

Every error is a `SourceError` that names the file or episode, the key, what was expected and what was found. No TensorFlow.
"""  # noqa: E501

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.source_files import POINTER, is_pointer

DEFAULT_SPLIT = "train"
"""What a source without splits of its own is."""

NUMBERS = "booleans, integers of up to 64 bits and floats of up to 64 bits"
_LARGEST = 8
"""Bytes of a number."""


def check_split(where: str, split: str, splits: Collection[str]) -> None:
    """Refuses a split that the source does not have.

    Args:
      where: the source.
      split: what is asked for.
      splits: the source's own; empty where it has none, and is "train" as a whole.
    """
    if split in (splits or (DEFAULT_SPLIT,)):
        return
    if not splits:
        raise SourceError(
            f"{where}: expected split {DEFAULT_SPLIT!r}, because the source has no splits; found {split!r}"
        )
    near = difflib.get_close_matches(split, splits, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise SourceError(f"{where}: no split {split!r}, found {sorted(splits)}{hint}")


def check_declared(where: str, what: str, declared: Any, actual: Any) -> None:
    """Compares a number that a source declares with what was read; nothing where it declares none (None).

    Args:
      where: the file that declares it.
      what: of what, such as "frames".
      declared, found: numbers, or whatever else can be compared and read.
    """
    if declared is not None and declared != actual:
        raise SourceError(f"{where} declares {declared} {what}, found {actual}")


def rows_of(where: str, name: str, values: Any) -> int:
    """Entries of a column [T, ...], which it is refused without."""
    shape = np.shape(values)
    if not shape:
        raise SourceError(f"{where}: {name!r} is one value, expected one for each step")
    return int(shape[0])


def check_covers(where: str, lengths: Mapping[str, int], rows: int, *, of: str, more: int = 0) -> None:
    """Refuses columns that do not have an entry for each row.

    Args:
      where: the file or episode.
      lengths: name -> entries.
      rows: entries that each must have.
      of: the column that the rows are counted by.
      more: where not 0, `rows + more` entries are right too (observations: N + 1 in each episode).
    """
    for name, length in lengths.items():
        if length not in (rows, rows + more):
            expected = f"{rows} or {rows + more}" if more else str(rows)
            raise SourceError(f"{where}: {name!r} has {length} entries, {of!r} has {rows}; expected {expected}")


def check_values(where: str, name: str, values: np.ndarray, *, texts: bool = False) -> None:
    """Refuses dtypes and ranks that cannot become tokens: the list of what is allowed is `NUMBERS`, and texts.

    Args:
      where: the episode.
      name: the column.
      values: [T, ...].
      texts: whether texts and encoded pictures are allowed.
    """
    if not values.ndim:
        raise SourceError(f"{where}: {name!r} is one value ({values.dtype}), expected one for each step")
    if 0 in values.shape[1:]:
        raise SourceError(
            f"{where}: {name!r} has a width of 0, found shape {list(values.shape)}: leave it out, or repair the source"
        )
    # Files of any length inside a table or an HDF5 file are bytes; without pictures in front of them, they may be rows.
    flat_values = (
        values.ravel() if values.dtype == object else [row.tobytes() for row in values[:1]] if _bytes(values) else ()
    )
    for step, value in enumerate(flat_values):
        if isinstance(value, bytes) and is_pointer(value):
            raise SourceError(f"{where}: {name!r}, step {step}: {POINTER}")
    if values.dtype.kind in "biuf" and values.dtype.itemsize <= _LARGEST:
        return
    if texts and (values.dtype.kind in "US" or _holds_texts(values)):
        return
    allowed = NUMBERS + (", texts and encoded pictures" if texts else "")
    kind = type(values.ravel()[0]).__name__ if values.dtype == object and values.size else str(values.dtype)
    raise SourceError(f"{where}: {name!r} must hold {allowed}, found {kind}")


def _bytes(values: np.ndarray) -> bool:
    return values.dtype == np.uint8 and values.ndim == 2


def _holds_texts(values: np.ndarray) -> bool:
    return values.dtype == object and all(isinstance(value, str | bytes) for value in values.ravel())


def one_per_step(where: str, name: str, values: np.ndarray) -> np.ndarray:
    """Values [T] of [T] or [T, 1]. Raises `SourceError` for several numbers a step."""
    check_values(where, name, values)
    if values.size != len(values):
        raise SourceError(f"{where}: {name!r} must hold one number for each step, found shape {list(values.shape)}")
    return values.reshape(len(values))


def as_flags(where: str, name: str, values: Any) -> np.ndarray:
    """Booleans [T] of flags stored as booleans or as 0 and 1."""
    flags = one_per_step(where, name, np.asarray(values))
    # NaN is neither, and would count as true.
    if flags.dtype != bool and not np.isin(flags, (0, 1)).all():
        other = flags[~np.isin(flags, (0, 1))][0]
        raise SourceError(f"{where}: {name!r} must hold flags, 0 or 1 for each step, found {other}")
    return flags.astype(bool)


def as_ends(where: str, name: str, values: Any) -> np.ndarray:
    """Where episodes end (the index behind the last step of each), as whole numbers that rise."""
    ends = as_whole(where, name, values)
    if not ends.size or (np.diff(ends, prepend=0) <= 0).any():
        raise SourceError(f"{where}: {name} must rise from above 0, found {ends[:8].tolist()}")
    return ends


def as_whole(where: str, name: str, values: Any) -> np.ndarray:
    """Whole numbers [E], however they are stored."""
    values = np.asarray(values)
    if values.dtype.kind not in "iuf" or values.dtype.itemsize > _LARGEST:
        raise SourceError(f"{where}: {name!r} must hold whole numbers, found {values.dtype}")
    if not np.isfinite(values).all() or (values != np.round(values)).any():
        raise SourceError(f"{where}: {name!r} must hold whole numbers, found {values.ravel()[:8].tolist()}")
    return values.ravel().astype(np.int64)


def check_ends(where: str, name: str, ends: np.ndarray, rows: int, *, of: str) -> None:
    """Refuses ends that leave rows behind the last one, or lie beyond the rows there are."""
    last = int(ends[-1]) if len(ends) else 0
    if last < rows:
        raise SourceError(
            f"{where}: {rows - last} rows behind the last end: {name!r} ends at {last}, but {of!r} has {rows} steps"
        )
    if last > rows:
        raise SourceError(f"{where}: episodes end at {last} ({name}), but {of!r} has {rows} steps")


def broken_chain(observation: np.ndarray, following: np.ndarray) -> list[int]:
    """Steps t of one episode where `following[t]` is not `observation[t + 1]`: the episode is cut at a wrong place, or
    has a hole.

    Args:
      observation: [T, ...] or [T + 1, ...].
      following: [T, ...], the observation that each action led to.
    """
    count = min(len(observation) - 1, len(following))
    ahead, led_to = observation[1 : count + 1], following[:count]
    if count < 1 or ahead.shape != led_to.shape:
        return []
    differ = ahead != led_to
    if ahead.dtype.kind == "f" and led_to.dtype.kind == "f":
        differ &= ~(np.isnan(ahead) & np.isnan(led_to))
    return np.flatnonzero(differ.reshape(count, -1).any(axis=1)).tolist()


def one_agent(where: str, name: str, values: Any) -> str:
    """The source agent of an episode, from one value or one for each step.

    Raises:
      SourceError: no text or whole number; none at all; an agent that changes inside the episode.
    """
    array = np.asarray(values)
    flat = array.ravel()
    if not flat.size or flat.size != (len(array) if array.ndim else 1):
        raise SourceError(
            f"{where}: agent {name!r} must hold one value, or one for each step, found {list(array.shape)}"
        )
    if array.dtype.kind not in "biuUS" and not _holds_texts(array):
        raise SourceError(f"{where}: agent {name!r} must hold texts or whole numbers, found {array.dtype}")
    if (changed := np.flatnonzero(flat != flat[0])).size:
        step = int(changed[0])
        raise SourceError(
            f"{where}: agent {name!r} changes inside the episode, from {str(flat[0])!r} to {str(flat[step])!r} at step "
            f"{step}"
        )
    value = flat[0]
    return value.decode() if isinstance(value, bytes) else str(value)


def in_some_only(name_sets: Iterable[Collection[str]], *, what: str = "files") -> tuple[str, ...]:
    """Notes for columns that only some files (or groups) have, and that the first one lacks, so nothing reads them.

    Args:
      name_sets: column names of each file or group, in their order.
    """
    counts: dict[str, int] = {}
    first: frozenset[str] | None = None
    total = 0
    for names in name_sets:
        first = frozenset(names) if first is None else first
        total += 1
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return tuple(
        f"{name!r} is in {count} of {total} {what} and not in the first, so it is left out"
        for name, count in sorted(counts.items())
        if first is not None and name not in first
    )
