"""Which timesteps of which episodes make up a shard's windows, and which prompts stand before them. NumPy alone."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Int

from data_pipelines.sequences.ring import Ring, Windows

SHARED = 4
"""Visits in a row that take their prompts from the same other episode: each one costs a reading."""


DRAWS = 4
"""Episodes that are drawn for a visit's prompts, to find one that is long enough."""


@dataclasses.dataclass(frozen=True)
class Sequences:
    """Sequences of windows, one after another; those of a window follow each other.

    A sequence is a prompt (which may be empty), timesteps of an episode, and padding (behind a window's last).

    Args:
      begin: first timestep of its own, counted in what its visit reads, int32 [sequences].
      own, prompt, padding: timesteps, int32 [sequences].
      prompt_begin: first timestep of the prompt in the other episode, int32 [sequences].
    """

    begin: Int[np.ndarray, " sequences"]
    own: Int[np.ndarray, " sequences"]
    prompt: Int[np.ndarray, " sequences"]
    prompt_begin: Int[np.ndarray, " sequences"]
    padding: Int[np.ndarray, " sequences"]

    def columns(self) -> Int[np.ndarray, "sequences 5"]:
        fields = (self.begin, self.own, self.prompt, self.prompt_begin, self.padding)
        return np.stack(fields, axis=1).astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Visits:
    """Readings of episodes, one after another.

    Args:
      record: number of the episode, int64 [visits].
      begin, end: its timesteps that are wanted, int64 [visits].
      first, count: its sequences, none where it is read for prompts alone, int64 [visits].
    """

    record: Int[np.ndarray, " visits"]
    begin: Int[np.ndarray, " visits"]
    end: Int[np.ndarray, " visits"]
    first: Int[np.ndarray, " visits"]
    count: Int[np.ndarray, " visits"]


def cut(
    ring: Ring,
    windows: Windows,
    *,
    timesteps: Int[np.ndarray, " episodes"],
    agent: Int[np.ndarray, " episodes"],
    end_share: float,
    random: np.random.Generator,
) -> tuple[Visits, Sequences]:
    """Visits and sequences that fill these windows, in their order.

    A window's prompt goes to its sequences from the first on, none longer than what it introduces. It comes from
    another episode of the same agent; where there is none it is padding.

    Args:
      ring: of the task.
      windows: of the ring, in the order of reading.
      timesteps, agent: of the task's episodes.
      end_share: share of the prompts that are the end of their episode; the others lie anywhere.
      random: of the prompts.
    """
    total, parts = ring.parts.total, ring.parts
    stop = windows.start + windows.own
    low, high = _part(ring, windows.start), _part(ring, stop - 1)
    spanned = high - low + 1
    window = np.repeat(np.arange(len(stop)), spanned)
    part = low[window] + np.arange(len(window)) - np.repeat(np.cumsum(spanned) - spanned, spanned)
    passes, at = np.divmod(part, len(parts.length))
    part_begin = passes * total + parts.ends[at] - parts.length[at]
    begin = np.maximum(windows.start[window], part_begin) - part_begin
    own = np.minimum(stop[window], part_begin + parts.length[at]) - part_begin - begin
    first_of_window = np.searchsorted(window, window)
    # What follows in the same stretch and pass is read in one go.
    goes_on = (part[1:] == part[:-1]) & (begin[1:] == begin[:-1] + own[:-1])
    visit = np.concatenate([[0], np.cumsum(~goes_on)])[: len(part)]
    firsts = np.flatnonzero(np.concatenate([[True], ~goes_on]))[: len(part)]
    record, offset = parts.record[at], parts.begin[at] + begin
    visits = Visits(
        record[firsts],
        offset[firsts],
        np.concatenate([offset[firsts[1:] - 1] + own[firsts[1:] - 1], offset[-1:] + own[-1:]]),
        firsts,
        np.diff(firsts, append=len(part)),
    )
    asked = np.minimum(own, windows.prompt[window])
    needed_timesteps = np.maximum.reduceat(asked, firsts) if len(firsts) else asked
    partner = _partners(visits.record, needed_timesteps, agent, timesteps, random)
    other = partner[visit]
    most = np.where(other >= 0, np.minimum(own, timesteps[other]), 0)
    before = np.cumsum(most) - most
    prompt = np.clip(windows.prompt[window] - (before - before[first_of_window]), 0, most)
    partner = np.where(_any(prompt > 0, firsts), partner, -1)
    last_start = timesteps[other] - prompt
    anywhere = (random.random(len(prompt)) * (last_start + 1)).astype(np.int64)
    prompt_begin = np.where(random.random(len(prompt)) < end_share, last_start, anywhere)
    filled = np.bincount(window, own + prompt, len(stop)).astype(np.int64)
    padding = np.zeros_like(own)
    padding[np.searchsorted(window, np.arange(len(stop)), side="right") - 1] = ring.window - filled
    sequences = Sequences(offset - visits.begin[visit], own, prompt, np.where(prompt > 0, prompt_begin, 0), padding)
    return _with_partners(visits, partner, timesteps), sequences


def _any(of_sequences: np.ndarray, firsts: np.ndarray) -> Bool[np.ndarray, " visits"]:
    """Whether it is so for a sequence of each visit."""
    return np.logical_or.reduceat(of_sequences, firsts) if len(firsts) else np.zeros(0, bool)


def _part(ring: Ring, place: np.ndarray) -> np.ndarray:
    """Number of the stretch at a place of the ring, counted on over the passes."""
    passes, inside = np.divmod(place, ring.parts.total)
    return passes * len(ring.parts.length) + np.searchsorted(ring.parts.ends, inside, side="right")


def _partners(
    record: np.ndarray, needed_timesteps: Int[np.ndarray, " visits"], agent: np.ndarray, timesteps: np.ndarray,
    random: np.random.Generator,
) -> Int[np.ndarray, " visits"]:  # fmt: skip
    """Another episode of the same agent for each visit that wants timesteps of one, else -1.

    Of some drawn at random the first that has so many timesteps: else short prompts would leave windows unfilled.
    """
    partner = np.full(len(record), -1)
    asking = np.flatnonzero(needed_timesteps)
    if not len(asking):
        return partner
    whole = np.flatnonzero(timesteps > 0)
    by_agent = whole[np.argsort(agent[whole], kind="stable")]
    names, begins, counts = np.unique(agent[by_agent], return_index=True, return_counts=True)
    place = np.empty(len(agent), np.int64)
    place[by_agent] = np.arange(len(by_agent))
    own = record[asking]
    of = np.searchsorted(names, agent[own])
    begin, count = begins[of], counts[of]
    draws = begin + (random.random((DRAWS, len(own))) * (count - 1)).astype(np.int64)
    draws += draws >= place[own]  # Itself is left out.
    alone = count < 2
    draws = by_agent[np.where(alone, begin, draws)]
    enough = timesteps[draws] >= needed_timesteps[asking]
    drawn = draws[np.argmax(enough, axis=0), np.arange(len(own))]
    leader = np.arange(len(own)) // SHARED * SHARED
    fits = (drawn[leader] != own) & (agent[drawn[leader]] == agent[own]) & ~alone[leader]
    fits &= timesteps[drawn[leader]] >= needed_timesteps[asking]
    partner[asking] = np.where(alone, -1, np.where(fits, drawn[leader], drawn))
    return partner


def _with_partners(visits: Visits, partner: np.ndarray, timesteps: np.ndarray) -> Visits:
    """Readings of the other episodes put before the visits that need them, where the last one is not the same."""
    asking = np.flatnonzero(partner >= 0)
    new = asking[np.concatenate([[True], partner[asking[1:]] != partner[asking[:-1]]])] if len(asking) else asking
    nothing = np.zeros(len(new), np.int64)
    other = partner[new]
    read = Visits(other, nothing, timesteps[other].astype(np.int64), nothing, nothing)
    fields = (field.name for field in dataclasses.fields(Visits))
    return Visits(*(np.insert(getattr(visits, name), new, getattr(read, name)) for name in fields))
