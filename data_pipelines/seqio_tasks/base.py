"""What every SeqIO task of this project shares: its features, its seeds, its needs, and how tasks are mixed."""

import copy
import dataclasses
import functools
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import seqio
import tensorflow as tf

from data_pipelines.config import StreamConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.deals import Dealer, Part, Plan, deal_order
from data_pipelines.sequences import windows
from data_pipelines.tokenizers.images import ImageSize

FEATURES = {
    "places": seqio.Feature(seqio.PassThroughVocabulary(size=0), dtype=tf.int32, rank=3, add_eos=False),
    "frames": seqio.Feature(seqio.PassThroughVocabulary(size=0), dtype=tf.string, rank=2, add_eos=False),
    "task_id": seqio.Feature(seqio.PassThroughVocabulary(size=0), dtype=tf.int32, rank=1, add_eos=False),
}
"""A row: places [K, 6, S], encoded frames [K, F], task_id [K]; see `sequences.windows.PLACES`."""


@dataclasses.dataclass(frozen=True)
class Needs:
    """What one window of a task needs of its row group.

    Args:
      length: places of the shortest possible window.
      frames: encoded images per window.
      frame_patches: patches of the largest image.
      patches: image patches per window, at most.
      targets: places with loss per window, at most.
      image_sizes: of the images of a timestep or pair, in turn; None = they differ.
      example_bytes: mean size of a stored example where a cache holds its images raw; None = as recorded.
    """

    length: int
    frames: int = 0
    frame_patches: int = 0
    patches: int = 0
    targets: int = 0
    image_sizes: tuple[ImageSize | None, ...] = ()
    example_bytes: float | None = None

    def check(self, task: str, group_name: str, group: RowGroup) -> None:
        """Raises `ValueError` naming the task, the group and the budget that is too small."""
        where = f"row group {group_name!r}, task {task!r}"
        if self.length > group.window_length:
            raise ValueError(f"{where}: needs window_length of at least {self.length}, found {group.window_length}")
        patches = self.patches * group.windows
        if patches > group.patches:
            raise ValueError(
                f"{where}: {group.windows} windows of {self.patches} patches need patches = {patches}, "
                f"found {group.patches}"
            )
        if self.targets > group.target_budget:
            raise ValueError(f"{where}: needs targets of at least {self.targets}, found {group.target_budget}")


class SeededTask(seqio.Task):
    """A `seqio.Task` whose preprocessors may take the pipeline's `seed`: an int64 or tensor, None = no chance.

    Where there is a `dealer`, they may also take the `part` that is read: the one that the stream gives, or, where a
    caller asks for a plain shard, every timestep of it once.
    """

    dealer: Dealer | None = None
    _part: Part | None = None

    def get_dataset(self, sequence_length=None, split="train", *, shuffle=True, seed=None, shard_info=None, **options):
        bound = self
        if self.dealer is not None:
            bound = copy.copy(self)
            if not isinstance(shard_info, Part):
                index, shards = (shard_info.index, shard_info.num_shards) if shard_info else (0, 1)
                limit = getattr(self.source, "limit", None)
                plan = self.dealer.one_pass(split, _fixed(seed) if shuffle else None, index, shards, limit)
                shard_info = Part(index, shards, {name: tf.constant(values) for name, values in plan.items()})
            bound._part = shard_info
        return super(SeededTask, bound).get_dataset(
            sequence_length, split, shuffle=shuffle, seed=seed, shard_info=shard_info, **options
        )

    def preprocess_postcache(self, dataset, sequence_length, seed=None):
        start = 0 if self._cache_step_idx is None else self._cache_step_idx + 1
        for preprocessor in self.preprocessors[start:]:
            bound = seqio.utils.add_kwargs_to_transform(
                preprocessor,
                sequence_length=sequence_length,
                output_features=self.output_features,
                seed=seed,
                part=self._part,
            )
            dataset = bound(dataset)
        return dataset


def _fixed(seed: Any) -> int:
    """A seed as a number; a new one where there is none, as SeqIO has it."""
    return secrets.randbits(32) if seed is None else int(seed)


def make_task(
    name: str, source: seqio.DataSource, preprocessors: Sequence[Callable], *, group: RowGroup, stream: StreamConfig,
    dealer: Dealer | None = None,
) -> SeededTask:  # fmt: skip
    """A task whose `preprocessors` end in windows: they are shuffled as such, and then put into rows of the group."""
    buffer = stream.shuffle_buffer // stream.virtual_shards
    order = [] if dealer is None else [deal_order]
    rows = functools.partial(windows.rows, windows=group.windows, shuffle_buffer=buffer if dealer is None else 1)
    task = SeededTask(name, source, FEATURES, preprocessors=[*preprocessors, *order, rows], shuffle_buffer_size=None)
    task.dealer = dealer
    return task


class SeededMixture(seqio.Mixture):
    """A `seqio.Mixture` in which every task, and the mixing, draws from a seed of its own.

    SeqIO gives all tasks and the mixing one seed, and every host the same: then all hosts draw the same task at the
    same position. Here the caller's seed already holds the shard, and the names are folded in.

    Args:
      name: for messages.
      tasks: what is mixed.
      turns: which task each row is of, int64 [rows], a tensor; None = one after another for ever.
      plans: of the tasks that are dealt.
    """

    def __init__(
        self, name: str, tasks: Sequence[SeededTask], turns: Any = None, plans: Mapping[str, Plan] | None = None
    ):
        self._turns, self._plans = turns, plans or {}
        super().__init__(name, [(task, 1.0) for task in tasks], sample_fn=self._sample)

    def dealt(self, turns: Any, plans: Mapping[str, Plan]) -> "SeededMixture":
        """The mixture of one shard in one segment."""
        return SeededMixture(self.name, self.tasks, turns, plans)

    def get_task_dataset(self, task, output_feature_keys, *args, **kwargs):
        names = ("sequence_length", "split", "use_cached", "shuffle", "seed", "shard_info", "num_epochs")
        arguments = dict(zip((*names, "trim_output_features", "try_in_mem_cache"), args, strict=False)) | kwargs
        arguments["seed"] = fold_name(arguments["seed"], task.name)
        if task.name in self._plans:
            info = arguments["shard_info"]
            arguments |= {"shard_info": Part(info.index, info.num_shards, self._plans[task.name]), "num_epochs": 1}
        # Tasks emit exactly their features, so SeqIO's filter (a mapped function per row) has nothing to do.
        return task.get_dataset(**arguments)

    def _sample(self, datasets: Sequence[tf.data.Dataset], equal: Sequence[float], seed: Any) -> tf.data.Dataset:
        if len(datasets) == 1:
            return datasets[0]
        turns = tf.data.Dataset.range(len(datasets)).repeat()
        if self._turns is not None:
            turns = tf.data.Dataset.from_tensor_slices(self._turns)
        return tf.data.Dataset.choose_from_datasets(datasets, turns, stop_on_empty_dataset=False)


def fold_name(seed: Any, name: str) -> Any:
    """A seed for each name from a seed (int or int64 tensor) below 2**61."""
    return None if seed is None else seed + (zlib.crc32(name.encode()) << 29)
