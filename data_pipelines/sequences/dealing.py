"""Who deals what in a segment of the stream: rows of a group to tasks, windows of a task's ring to shards. NumPy alone.

All of it follows from (seed, segment, weights), so every host knows what the others do, and no two deal the same.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from data_pipelines.sequences.ring import Ring, Windows


def quotas(weights: Sequence[float], rows: int, draw: float) -> Int[np.ndarray, " tasks"]:
    """Rows of each task among so many: its share, rounded up or down so that the mean over draws is exact.

    Systematic sampling: the shares lie on a line one behind the other, and a comb of `rows` teeth falls on it.

    Args:
      weights: of the tasks, on any scale.
      rows: to deal.
      draw: place of the comb, in [0, 1).
    """
    ends = np.cumsum(np.asarray(weights, np.float64))
    teeth = np.floor(ends / ends[-1] * rows + draw).astype(np.int64)
    teeth[ends >= ends[-1]] = rows  # Rounding, and a draw just below 1, must not add or lose a row.
    return np.diff(teeth, prepend=0)


def turns(rows: Int[np.ndarray, " tasks"], random: np.random.Generator) -> Int[np.ndarray, " all_rows"]:
    """Which task each row is of: those of a task lie evenly, each at a random place of its stretch."""
    task = np.repeat(np.arange(len(rows)), rows)
    number = np.arange(len(task)) - np.repeat(np.cumsum(rows) - rows, rows)
    return task[np.argsort((number + random.random(len(task))) / rows[task], kind="stable")]


@dataclasses.dataclass(frozen=True)
class Deal:
    """What one shard deals of one task in a segment.

    Args:
      windows: in the order in which they are read: that of the ring.
      order: of every window that is dealt, which one read it is; it moves inside its chunk only, int64 [windows].
      chunks: sizes of the chunks, one after another, int64 [chunks].
    """

    windows: Windows
    order: Int[np.ndarray, " windows"]
    chunks: Int[np.ndarray, " chunks"]


def deal(
    ring: Ring, first: int, shards: Int[np.ndarray, " windows"], mine: Sequence[int], *, at_a_time: int,
    key: Sequence[int],
) -> dict[int, Deal]:  # fmt: skip
    """Windows `first`, `first + 1`, ... of the ring to the shards that deal them.

    The ring is dealt in rounds: all windows of a round are dealt before the first of the next, and no round goes beyond
    the end of a pass. Inside a round each shard has a run of windows: it reads them in order and deals them in random
    order.

    Args:
      ring: of the task.
      first: number of the segment's first window.
      shards: shard of each of the segment's windows, in the order of dealing.
      mine: the shards whose deals are wanted.
      at_a_time: windows of a round, at most.
      key: of the random order.
    """
    windows = ring.cut(first, len(shards))
    passes, place = np.divmod(windows.start, ring.parts.total)
    rounds = max(1, -(-ring.windows // at_a_time))
    number = passes * rounds + place * rounds // ring.parts.total
    by_shard = np.lexsort((shards, number))
    goes_on = place + windows.own > ring.parts.total
    deals = {}
    for shard in mine:
        own = np.flatnonzero(shards[by_shard] == shard)
        chunk = number[own]
        random = np.random.default_rng([*key, shard])
        _, sizes = np.unique(chunk, return_counts=True)
        # A window that goes on in the next pass comes last.
        order = np.lexsort((random.random(len(own)) + goes_on[own], chunk))
        deals[shard] = Deal(windows.take(own), order, sizes)
    return deals


class Ledger:
    """How many rows of each task were dealt before a segment, and are dealt in it. A pure function of the settings.

    Args:
      seed: of the run.
      group: name of the row group.
      steps: of a segment.
    """

    def __init__(self, seed: int, group: str, steps: int):
        self._seed, self._group, self._steps = seed, group, steps
        self._known: list[tuple[tuple[float, ...], int, np.ndarray, np.ndarray]] = []

    def rows(
        self, segment: int, table: Sequence[tuple[int, Mapping[str, float]]], tasks: Sequence[str],
        rows_per_step: Mapping[int, int],
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """(rows of each task before the segment, and in it), int64 [tasks].

        Args:
          segment: in question.
          table: (first segment, weights) of each phase.
          tasks: of the group, in the order of its mixture.
          rows_per_step: rows of the group per step, for the first segment of each phase.
        """
        for number in range(segment + 1):
            first, weights = next(phase for phase in reversed(table) if phase[0] <= number)
            shares, rows = tuple(float(weights[task]) for task in tasks), rows_per_step[first]
            if number < len(self._known):
                if self._known[number][:2] == (shares, rows):
                    continue
                del self._known[number:]  # Other weights from here on.
            before = self._known[-1][2] + self._known[-1][3] if self._known else np.zeros(len(tasks), np.int64)
            draw = np.random.default_rng([self._seed, number, *self._group.encode()]).random()
            self._known.append((shares, rows, before, quotas(shares, rows * self._steps, draw)))
        return self._known[segment][2], self._known[segment][3]
