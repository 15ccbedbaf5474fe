"""The ring of a task: all its timesteps in one fixed order without an end, cut into windows. NumPy alone.

Dealing equally needs no luck: windows take the ring's timesteps one after another, so between any two windows every
timestep was dealt equally often, give or take one pass. A window's place in the ring follows from its number alone,
also where windows have room for fewer timesteps because they begin with a prompt. So a stream can begin anywhere.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

NEIGHBOURS = 32
"""Records that stay together in the ring where there are thousands, as reading them one by one would be slow."""

SHIFT_PERIOD = 128
"""Windows of which one may be shorter, at least."""

PROMPT_BLOCK = 64
"""Windows among which exactly the share of prompts begins with one."""


@dataclasses.dataclass(frozen=True)
class Stretches:
    """Parts of episodes in the order of the ring.

    Args:
      record: number of the episode, int64 [stretches].
      begin: its first timestep in the episode, int64 [stretches].
      length: timesteps, int64 [stretches].
    """

    record: Int[np.ndarray, " stretches"]
    begin: Int[np.ndarray, " stretches"]
    length: Int[np.ndarray, " stretches"]

    @functools.cached_property
    def ends(self) -> Int[np.ndarray, " stretches"]:
        """Place in the ring behind each stretch."""
        return np.cumsum(self.length)

    @property
    def total(self) -> int:
        return int(self.ends[-1])


def stretches(timesteps: Sequence[int] | np.ndarray, window: int, key: Sequence[int] | None, stretch: int) -> Stretches:
    """Episodes of these lengths as stretches in a random order; with no key whole and in their own order.

    Args:
      timesteps: of each episode; those of none are left out.
      window: timesteps of a window.
      key: of the order.
      stretch: windows of a stretch, at most: longer episodes lie in the ring in several, so that windows that are dealt
        at the same time come from many episodes.
    """
    lengths = np.asarray(timesteps, np.int64)
    most = max(1, window * stretch)
    parts = np.ones_like(lengths) if key is None else -(-lengths // most)
    parts = np.where(lengths > 0, parts, 0)
    record = np.repeat(np.arange(len(lengths)), parts)
    part = np.arange(len(record)) - np.repeat(np.cumsum(parts) - parts, parts)
    begin, end = ((part + of) * lengths[record] // parts[record] for of in (0, 1))  # Equal lengths, but for one.
    pieces = Stretches(record, begin, end - begin)
    if key is None:
        return pieces
    random = np.random.default_rng(list(key))
    together = NEIGHBOURS if len(lengths) >= NEIGHBOURS * 64 else 1
    blocks = random.permutation(len(lengths) // together + 1)
    order = np.lexsort((random.random(len(record)), blocks[record // together]))
    return Stretches(pieces.record[order], pieces.begin[order], pieces.length[order])


@dataclasses.dataclass(frozen=True)
class Windows:
    """Consecutive windows of a ring.

    Args:
      start: place of each window's first own timestep, counted from the first pass on, int64 [windows].
      own: timesteps of its own, int64 [windows].
      prompt: timesteps of a prompt in front, int64 [windows].
    """

    start: Int[np.ndarray, " windows"]
    own: Int[np.ndarray, " windows"]
    prompt: Int[np.ndarray, " windows"]

    def take(self, which: np.ndarray) -> "Windows":
        return Windows(self.start[which], self.own[which], self.prompt[which])


@dataclasses.dataclass(frozen=True)
class Ring:
    """A task's timesteps and how windows cut them.

    Args:
      parts: the timesteps in their order.
      window: timesteps of a window.
      prompt: timesteps of a prompt, in a window that has one.
      share: share of the windows that have one.
      pack: whether a window holds parts of several episodes; else it holds a part of one, and `parts` are windows.
      key: of the choice of windows with prompts.
      short: timesteps that one window of each `period` lacks, so that windows begin elsewhere in later passes.
    """

    parts: Stretches
    window: int
    prompt: int = 0
    share: float = 0.0
    pack: bool = True
    key: tuple[int, ...] = (0,)
    short: int = 0

    @classmethod
    def build(
        cls, timesteps: np.ndarray, *, window: int, prompt: int = 0, share: float = 0.0, pack: bool = True,
        key: tuple[int, ...] | None = (0,), stretch: int = 64, shift: bool = True,
    ) -> "Ring":  # fmt: skip
        """The ring of episodes of these lengths. Without a key (validation) in the files' order, without prompts.

        With `shift`, a window now and then may be shorter, so that later passes are not cut at the same places.
        """
        if key is None:
            prompt, share = 0, 0.0
        if pack:
            parts = stretches(timesteps, window, key, stretch)
        else:  # Every window leaves room for a prompt, whether it has one or not: else its end would depend on chance.
            parts = _unpacked(timesteps, window - prompt, key)
        short, step = 0, math.gcd(window, prompt if share else 0)
        ring = cls(parts, window, prompt, share, pack, key or (0,))
        if not shift or key is None or not pack or not parts.total:
            return ring
        while math.gcd(ring.period // ring.windows * parts.total + short, step) > 1:
            short += 1
        return dataclasses.replace(ring, short=short)

    @property
    def windows(self) -> int:
        """Windows of one pass, rounded up."""
        if not self.pack:
            return len(self.parts.length)
        return max(1, -(-self.parts.total // max(1, round(self.window - self.share * self.prompt))))

    @property
    def period(self) -> int:
        """Windows of whole passes, so many that a shorter one among them hardly counts."""
        return -(-SHIFT_PERIOD // self.windows) * self.windows

    def cut(self, first: int, count: int) -> Windows:
        """Windows `first` to `first + count - 1`."""
        prompted = self._prompted(first, count)
        if not self.pack:
            unit = np.arange(first, first + count)
            passes, part = np.divmod(unit, len(self.parts.length))
            own = self.parts.length[part]
            start = passes * self.parts.total + self.parts.ends[part] - own
            return Windows(start, own, np.where(prompted, np.minimum(self.prompt, own), 0))
        prompt = np.where(prompted, self.prompt, 0)
        last = (np.arange(first, first + count) + 1) % self.period == 0
        own = self.window - prompt - self.short * last
        begin = first * self.window - self.prompt * self._prompts_before(first) - self.short * (first // self.period)
        return Windows(begin + np.cumsum(own) - own, own, prompt)

    def first_pass(self) -> Windows:
        """The windows of the first pass, which ends with its last timestep."""
        # Prompts come in blocks, so the mean does not tell how many windows a pass has.
        least = max(1, self.window - self.prompt * bool(self.share) - self.short)
        windows = self.cut(0, len(self.parts.length) if not self.pack else -(-self.parts.total // least))
        own = np.minimum(windows.own, self.parts.total - windows.start)
        return dataclasses.replace(windows, own=own).take(np.flatnonzero(own > 0))

    def _prompted(self, first: int, count: int) -> Bool[np.ndarray, " windows"]:
        if not self.share or not self.prompt or not count:
            return np.zeros(count, bool)
        low, high = first // PROMPT_BLOCK, -(-(first + count) // PROMPT_BLOCK)
        draws = np.stack([self._ranks(block) for block in range(low, high)])
        quota = np.diff(self._quota(np.arange(low, high + 1)))
        flat = (draws < quota[:, None]).ravel()
        return flat[first - low * PROMPT_BLOCK :][:count]

    def _prompts_before(self, window: int) -> int:
        if not self.share or not self.prompt:
            return 0
        block, inside = divmod(window, PROMPT_BLOCK)
        before = int(self._quota(np.array(block)))
        return before + int(self._prompted(block * PROMPT_BLOCK, inside).sum()) if inside else before

    def _quota(self, block: np.ndarray) -> np.ndarray:
        """Windows with prompts in the first so many blocks."""
        return np.floor(block * PROMPT_BLOCK * self.share + 1e-9).astype(np.int64)

    def _ranks(self, block: int) -> np.ndarray:
        return np.random.default_rng([*self.key, block]).permutation(PROMPT_BLOCK)


def _unpacked(timesteps: np.ndarray, window: int, key: Sequence[int] | None) -> Stretches:
    """Episodes cut into windows of one episode each, as equal as they can be."""
    return stretches(timesteps, window, key, stretch=1) if key is not None else _in_order(timesteps, window)


def _in_order(timesteps: np.ndarray, window: int) -> Stretches:
    """Whole windows and a rest, in the order of the files."""
    lengths = np.asarray(timesteps, np.int64)
    parts = -(-lengths // window)
    record = np.repeat(np.arange(len(lengths)), parts)
    part = np.arange(len(record)) - np.repeat(np.cumsum(parts) - parts, parts)
    begin = part * window
    return Stretches(record, begin, np.minimum(window, lengths[record] - begin))
