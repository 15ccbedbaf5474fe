"""Which records a shard reads of a task in a segment, and how it cuts them into windows, as tensors of a pipeline."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from data_pipelines.sequences import cuts, dealing
from data_pipelines.sequences.control import PromptConfig
from data_pipelines.sequences.ring import Ring
from data_pipelines.storage.episode_index import Episodes, Records, read_episodes, read_records
from data_pipelines.storage.recorded_tasks import RecordedTask

NO_PROMPTS = PromptConfig(share=0.0, end_share=0.0, timesteps=0, loss=True)

Plan = Mapping[str, Any]
"""int64 arrays or tensors; see `PLAN`."""

PLAN = {
    **{name: tf.TensorSpec([None], tf.int64) for name in ("file", "offset", "number")},  # Where each visit reads.
    **{name: tf.TensorSpec([None], tf.int64) for name in ("begin", "end", "first", "count")},  # `cuts.Visits`.
    "sequences": tf.TensorSpec([None, 5], tf.int64),  # `cuts.Sequences.columns`.
    **{name: tf.TensorSpec([None], tf.int64) for name in ("order", "chunk")},  # Of each window; see `dealing.Deal`.
    "chunk_begin": tf.TensorSpec([None], tf.int64),  # First window of each chunk, and the number of all windows.
}


@dataclasses.dataclass(frozen=True)
class Part(seqio.ShardInfo):
    """What a shard of a dealt task reads: not every n-th record, but what its plan says."""

    plan: Plan = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Dealer:
    """Deals the windows of one task, so that each timestep comes as often as any other.

    Args:
      recorded: the task, with the lengths and agents of its episodes.
      stored: the files that are read, which hold the same episodes: the same, or those of a cache.
      window: timesteps of a window.
      prompts: before windows.
      pack: whether a window holds parts of several episodes.
      at_a_time: windows that are dealt in random order, summed over the shards.
      stretch: windows of an episode that follow each other, at most.
      single: whether an example is one unit, such as a picture with its text, rather than timesteps.
    """

    recorded: RecordedTask
    stored: RecordedTask
    window: int
    at_a_time: int
    stretch: int = 1
    prompts: PromptConfig = NO_PROMPTS
    pack: bool = True
    single: bool = False
    _known: dict[tuple, Any] = dataclasses.field(default_factory=dict)

    def episodes(self, split: str) -> Episodes:
        if self.single:
            count = self.recorded.examples(split)
            return Episodes(np.ones(count, np.int32), np.zeros(count, np.int32))
        return self._once(("episodes", split), lambda: read_episodes(self.recorded, split))

    def records(self, split: str) -> Records:
        return self._once(("records", split), lambda: read_records(self.stored.shards.get(split, ())))

    def _once(self, key: tuple, make: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def reading(self, stored: RecordedTask) -> "Dealer":
        """The same, reading other files of the same episodes."""
        return dataclasses.replace(self, stored=stored, _known={})

    def ring(self, split: str, seed: int | None, *, keep: bool = True) -> Ring:
        """The order of a run, which is kept for the next call. Raises `ValueError` where no episode has a timestep."""
        episodes = self.episodes(split)
        if not episodes.timesteps.sum():
            raise ValueError(
                f"task {self.recorded.name!r}: expected episodes of one timestep at least in split {split!r}, found "
                f"{len(episodes.timesteps)} of none"
            )
        share, prompt = 0.0, 0
        if self.prompts.share and self.prompted(split):
            share, prompt = self.prompts.share, self.prompts.length(self.window)
        key = None if seed is None else (seed, *self.recorded.name.encode())
        make = functools.partial(
            Ring.build, episodes.timesteps, window=self.window, prompt=prompt, share=share, pack=self.pack, key=key,
            stretch=self.stretch, shift=not self.single,  # Pairs are counted off: a window of pictures is always full.
        )  # fmt: skip
        return self._once(("ring", split, seed), make) if keep else make()

    def prompted(self, split: str) -> bool:
        """Whether any episode has another one of the same agent that can stand before it."""
        episodes = self.episodes(split)
        _, counts = np.unique(episodes.agent[episodes.timesteps > 0], return_counts=True)
        return bool((counts > 1).any())

    def segment(
        self, split: str, seed: int, segment: int, first: int, shards: np.ndarray, mine: Sequence[int]
    ) -> dict[int, Plan]:
        """Plans of the shards `mine` for a segment.

        Args:
          split: of the task.
          seed: of the run.
          segment: number of the segment.
          first: windows dealt before it.
          shards: shard of each of its windows, in the order of dealing.
          mine: shards whose plans are wanted.
        """
        ring, key = self.ring(split, seed), (seed, segment, *self.recorded.name.encode())
        deals = dealing.deal(ring, first, shards, mine, at_a_time=self.at_a_time, key=key)
        return {shard: self._plan(split, ring, deal, (*key, shard, 1)) for shard, deal in deals.items()}

    def one_pass(
        self, split: str, seed: int | None, shard: int, shards: int, *, order: int | None = None,
        limit: int | None = None, keep: bool = True,
    ) -> Plan:  # fmt: skip
        """Every timestep of a shard's equal part once; without a seed in the order of the files and without prompts.

        Args:
          split: of the task.
          seed: of the windows, and so of the shards' parts.
          shard, shards: which part.
          order: seed of the order in which the shard deals its windows, and of its prompts; None = `seed`.
          limit: only so many examples, without a seed.
          keep: whether the ring of this seed is wanted again.
        """
        ring = self.ring(split, seed, keep=keep)
        if limit is not None:
            few = self.episodes(split).timesteps[:limit]
            ring = Ring.build(few, window=self.window, pack=self.pack, key=None)
        windows = ring.first_pass()
        begin, end = (len(windows.own) * (shard + of) // shards for of in (0, 1))
        windows, count = windows.take(np.arange(begin, end)), end - begin
        order = seed if order is None else order
        # A chunk is held in memory, so a pass is dealt in several, as the stream is.
        chunk = np.arange(count) // max(1, self.at_a_time // shards)
        draws = np.arange(count) if order is None else np.random.default_rng([order, shard]).random(count)
        _, sizes = np.unique(chunk, return_counts=True)
        return self._plan(split, ring, dealing.Deal(windows, np.lexsort((draws, chunk)), sizes), (order or 0, shard))

    def _plan(self, split: str, ring: Ring, deal: dealing.Deal, key: Sequence[int]) -> Plan:
        records, episodes = self.records(split), self.episodes(split)
        visits, sequences = cuts.cut(
            ring, deal.windows, timesteps=episodes.timesteps, agent=episodes.agent,
            end_share=self.prompts.end_share, random=np.random.default_rng(list(key)),
        )  # fmt: skip
        first = self.recorded.first_ids()[str(self.recorded.shards[split][0].path)]
        begins = np.concatenate([[0], np.cumsum(deal.chunks)])
        columns = {
            "file": records.file[visits.record],
            "offset": records.offset[visits.record],
            "number": visits.record + first,
            **{name: getattr(visits, name) for name in ("begin", "end", "first", "count")},
            "sequences": sequences.columns(),
            "order": deal.order,
            "chunk": np.repeat(np.arange(len(deal.chunks)), deal.chunks),
            "chunk_begin": begins,
        }
        return {name: np.asarray(values, np.int64) for name, values in columns.items()}


def deal_order(dataset: tf.data.Dataset, *, part: Part) -> tf.data.Dataset:
    """Windows as they were read to the order in which they are dealt: each moves inside its chunk."""
    plan = part.plan

    def chunk(index: tf.Tensor, window: dict[str, tf.Tensor]) -> tf.Tensor:
        return plan["chunk"][index]

    def size(key: tf.Tensor) -> tf.Tensor:
        return plan["chunk_begin"][key + 1] - plan["chunk_begin"][key]

    def shuffle(key: tf.Tensor, windows: tf.data.Dataset) -> tf.data.Dataset:
        begin, end = plan["chunk_begin"][key], plan["chunk_begin"][key + 1]
        order = plan["order"][begin:end] - begin

        def gather(index: tf.Tensor, batch: dict[str, tf.Tensor]) -> tf.data.Dataset:
            return tf.data.Dataset.from_tensor_slices({name: tf.gather(leaf, order) for name, leaf in batch.items()})

        return windows.batch(end - begin).flat_map(gather)

    numbered = tf.data.Dataset.zip((tf.data.Dataset.range(tf.int64.max), dataset))
    return numbered.group_by_window(chunk, shuffle, window_size_func=size)
