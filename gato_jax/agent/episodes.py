"""Where each environment of a batch is in its episode and its window: the bookkeeping of `ActionSampler`, in NumPy.

A row remembers `length` timesteps, a prompt first. When it has W, it drops D of its own oldest ones, and W - D stay. In
the D steps before, these are read into a second memory: K of them a step, K = (W - D) / D rounded up.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32

Counts = Int32[np.ndarray, " envs"]


class Episodes:
    """Counters of all rows.

    Args:
      rows: environments.
      window: W.
      drop: D, at most; of a row with a long prompt there may be fewer timesteps to drop.
      longest_prompt: timesteps of the longest prompt.

    Attributes:
      length: timesteps that each row remembers; where a window slides, that it has seen.
      filled: timesteps of it that the second memory has.
      step, seed: of the episode.
      piece: K.
      least_drop: the fewest timesteps that any row drops.
    """

    def __init__(self, rows: int, window: int, *, drop: int, longest_prompt: int):
        self.rows, self._window, self._drop = rows, window, drop
        self.least_drop = max(1, min(drop, window - longest_prompt))
        self.piece = max(1, -(-(window - self.least_drop) // self.least_drop))
        self.length, self._prompt, self.filled, self.step = (np.zeros(rows, np.int32) for _ in range(4))
        self.seed = np.zeros(rows, np.uint32)
        # Of each row, the slots of its timesteps from the oldest on, then those that are free.
        self._slots = np.broadcast_to(np.arange(window, dtype=np.int32), (rows, window)).copy()

    def start(self, rows: Sequence[int], seeds: Sequence[int] | np.ndarray, prompts: Sequence[int]) -> None:
        """New episodes behind prompts of so many timesteps, which are in the first slots."""
        self.length[rows] = self._prompt[rows] = prompts
        self.filled[rows] = self.step[rows] = 0
        self.seed[rows] = np.asarray(seeds, np.uint32)
        self._slots[rows] = np.arange(self._window)

    def advance(self) -> None:
        """Every row has seen one more timestep."""
        if self._window > 1:
            self.length += 1
        self.step += 1

    def slots_in_use(self) -> tuple[Counts, Counts]:
        """Where each row's current timestep goes, and where its last one is."""
        at = lambda place: np.take_along_axis(self._slots, (place % self._window)[:, None], axis=1)[:, 0]  # noqa: E731
        return at(self.length), at(self.length - 1)

    def full(self) -> np.ndarray:
        """Rows whose window has no room for the current timestep."""
        return np.flatnonzero(self.length >= self._window)

    def is_ready(self, rows: np.ndarray) -> bool:
        """Whether the second memory has all that stays of these rows."""
        return bool((self.filled[rows] >= self._window - self._drops()[rows]).all())

    def next_piece(self) -> Int32[np.ndarray, "envs piece"] | None:
        """Slots of the timesteps to be read next; None where no row has any."""
        if not (self._due() > self.filled).any():
            return None
        first = self.start_of_piece()[:, None] + np.arange(self.piece, dtype=np.int32)
        dropped = np.where(first < self._prompt[:, None], 0, self._drops()[:, None])
        return np.take_along_axis(self._slots, (first + dropped) % self._window, axis=1)

    def start_of_piece(self) -> Counts:
        """Timesteps of each row before its next piece; some are read again where a piece would go beyond the end."""
        return np.minimum(self.filled, self._window - 1 - self.piece).astype(np.int32)

    def read_piece(self) -> None:
        """The piece has been read."""
        self.filled = np.maximum(self.filled, np.minimum(self._due(), self.start_of_piece() + self.piece))

    def take_over(self, rows: np.ndarray) -> None:
        """The second memory is now the first one of these rows."""
        drops = self._drops()
        for row in rows:
            own = self._slots[row, self._prompt[row] :]
            own[:] = np.roll(own, -drops[row])
        self.length[rows] = self._window - drops[rows]
        self.filled[rows] = 0

    def _drops(self) -> Counts:
        return np.minimum(self._drop, self._window - self._prompt).astype(np.int32)

    def _due(self) -> Counts:
        """Timesteps that may be read already: none before the last part of a window."""
        drops = self._drops()
        known = np.maximum(0, self.length - drops)
        return np.where(self.length > self._window - drops, known, 0).astype(np.int32)
