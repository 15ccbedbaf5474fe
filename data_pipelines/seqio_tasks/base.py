"""What every SeqIO task of this project shares: its features, its seeds, its needs, and how tasks are mixed."""

import copy
import dataclasses
import functools
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import seqio
import tensorflow as tf

from data_pipelines.config import StreamConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.deals import Dealer, Part, Plan, deal_order
from data_pipelines.seqio_tasks.passes import Passes
from data_pipelines.seqio_tasks.sources import RecordFileSource
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

    They may also take `whole`, whether nothing of what is read may be left over, and, where there is a `dealer`, the
    `part` that is read: the one that the stream gives, or, where a caller asks for a plain shard, every timestep of it
    once in each epoch.
    """

    dealer: Dealer | None = None
    read_cache: Callable[[str], RecordFileSource] | None = None
    """From a directory of caches to the source there; of a task with a `CacheDatasetPlaceholder`."""
    _part: Part | None = None
    _whole = False

    @property
    def _behind_cache(self) -> int:
        """Preprocessors up to the `CacheDatasetPlaceholder`, and that."""
        return 0 if self._cache_step_idx is None else self._cache_step_idx + 1

    def cached_in(self, directory: str) -> "SeededTask":
        """The task that reads its cache. Raises `DataError` where that is not of this task's data and settings."""
        assert self.read_cache is not None, "only some kinds of tasks are cached"
        source, rest = self.read_cache(directory), self.preprocessors[self._behind_cache :]
        task = SeededTask(self.name, source, FEATURES, preprocessors=rest, shuffle_buffer_size=None)
        task.dealer = self.dealer and self.dealer.reading(source.task)
        return task

    def get_dataset(
        self, sequence_length=None, split="train", *, shuffle=True, seed=None, shard_info=None, num_epochs=1, **options
    ):
        def read(seed: Any, info: seqio.ShardInfo | None, epochs: int | None, whole: bool) -> tf.data.Dataset:
            bound = copy.copy(self)
            bound._part, bound._whole = info if isinstance(info, Part) else None, whole
            return super(SeededTask, bound).get_dataset(
                sequence_length, split, shuffle=shuffle, seed=seed, shard_info=info, num_epochs=epochs, **options
            )

        if isinstance(shard_info, Part):
            return read(seed, shard_info, 1, whole=False)
        whole = num_epochs is not None
        if self.dealer is None:
            return read(seed, shard_info, num_epochs, whole)
        index, shards = (shard_info.index, shard_info.num_shards) if shard_info else (0, 1)
        passes = Passes(self.dealer, split, index, shards, shuffle, seed, getattr(self.source, "limit", None))
        return passes.dataset(num_epochs, lambda seed, plan: read(seed, Part(index, shards, plan), 1, whole))

    def preprocess_precache(self, dataset, seed=None):
        """Nothing: what repeats is examples of the source. Else documents would come in other batches, and so rows."""
        return dataset

    def preprocess_postcache(self, dataset, sequence_length, seed=None):
        for preprocessor in self.preprocessors:
            if isinstance(preprocessor, seqio.CacheDatasetPlaceholder):
                continue
            bound = seqio.utils.add_kwargs_to_transform(
                preprocessor,
                sequence_length=sequence_length,
                output_features=self.output_features,
                seed=seed,
                part=self._part,
                whole=self._whole,
            )
            dataset = bound(dataset)
        return dataset


def make_task(
    name: str, source: RecordFileSource, preprocessors: Sequence[Callable], *, group: RowGroup, stream: StreamConfig,
    dealer: Dealer | None = None, read_cache: Callable[[str], RecordFileSource] | None = None, cache: str = "",
) -> SeededTask:  # fmt: skip
    """A task whose `preprocessors` end in windows: they are shuffled as such, and then put into rows of the group.

    With `read_cache`, as in `SeededTask`, they hold a `CacheDatasetPlaceholder`; then the task reads `cache`, if any.
    """
    buffer = stream.shuffle_buffer // stream.virtual_shards
    order = [] if dealer is None else [deal_order]
    rows = functools.partial(windows.rows, windows=group.windows, shuffle_buffer=buffer if dealer is None else 1)
    task = SeededTask(name, source, FEATURES, preprocessors=[*preprocessors, *order, rows], shuffle_buffer_size=None)
    task.dealer, task.read_cache = dealer, read_cache
    return task.cached_in(cache) if cache and read_cache is not None else task


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
        arguments["seed"], info = fold_name(arguments["seed"], task.name), arguments["shard_info"]
        if task.name in self._plans:
            arguments |= {"shard_info": Part(info.index, info.num_shards, self._plans[task.name]), "num_epochs": 1}
        elif info is not None and task.source.read_whole(arguments["split"], info.num_shards):
            arguments["shard_info"] = None  # Too few examples to deal out: every shard reads all, under its own seed.
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
