"""What every SeqIO task of this project shares: its features, its seeds, its needs, and how tasks are mixed."""

import dataclasses
import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import seqio
import tensorflow as tf

from data_pipelines.config import StreamConfig
from data_pipelines.schema import RowGroup
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
    """What one segment of a task needs of its row group.

    Args:
      length: places of the shortest possible segment.
      frames: encoded images per segment.
      frame_patches: patches of the largest image.
      patches: image patches per segment, at most.
      targets: places with loss per segment, at most.
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
        if self.length > group.segment_length:
            raise ValueError(f"{where}: needs segment_length of at least {self.length}, found {group.segment_length}")
        patches = self.patches * group.segments
        if patches > group.patches:
            raise ValueError(
                f"{where}: {group.segments} segments of {self.patches} patches need patches = {patches}, "
                f"found {group.patches}"
            )
        if self.targets > group.target_budget:
            raise ValueError(f"{where}: needs targets of at least {self.targets}, found {group.target_budget}")


class SeededTask(seqio.Task):
    """A `seqio.Task` whose preprocessors may take the pipeline's `seed`: an int64 or tensor, None = no chance."""

    def preprocess_postcache(self, dataset, sequence_length, seed=None):
        start = 0 if self._cache_step_idx is None else self._cache_step_idx + 1
        for preprocessor in self.preprocessors[start:]:
            bound = seqio.utils.add_kwargs_to_transform(
                preprocessor, sequence_length=sequence_length, output_features=self.output_features, seed=seed
            )
            dataset = bound(dataset)
        return dataset


def make_task(
    name: str, source: seqio.DataSource, preprocessors: Sequence[Callable], *, group: RowGroup, stream: StreamConfig
) -> SeededTask:
    """A task whose `preprocessors` end in segments: they are shuffled as such, and then put into rows of the group."""
    rows = functools.partial(
        windows.rows, segments=group.segments, shuffle_buffer=stream.shuffle_buffer // stream.virtual_shards
    )
    return SeededTask(name, source, FEATURES, preprocessors=[*preprocessors, rows], shuffle_buffer_size=None)


class SeededMixture(seqio.Mixture):
    """A `seqio.Mixture` in which every task, and the mixing, draws from a seed of its own.

    SeqIO gives all tasks and the mixing one seed, and every host the same: then all hosts draw the same task at the
    same position. Here the caller's seed already holds the shard, and the names are folded in.

    Args:
      name: for messages.
      tasks: what is mixed.
      rates: float32 [tasks] in the order of `tasks`, by name; a tensor lets one trace serve all. None = equal rates.
    """

    def __init__(self, name: str, tasks: Sequence[SeededTask], rates: Any = None):
        self._rates = rates
        super().__init__(name, [(task, 1.0) for task in tasks], sample_fn=self._sample)

    def with_rates(self, rates: Any) -> "SeededMixture":
        return SeededMixture(self.name, self.tasks, rates)

    def get_task_dataset(self, task, output_feature_keys, *args, **kwargs):
        names = ("sequence_length", "split", "use_cached", "shuffle", "seed", "shard_info", "num_epochs")
        given = dict(zip((*names, "trim_output_features", "try_in_mem_cache"), args, strict=False)) | kwargs
        # Tasks emit exactly their features, so SeqIO's filter (a mapped function per row) has nothing to do.
        return task.get_dataset(**{**given, "seed": fold_name(given["seed"], task.name)})

    def _sample(self, datasets: Sequence[tf.data.Dataset], equal: Sequence[float], seed: Any) -> tf.data.Dataset:
        if len(datasets) == 1:
            return datasets[0]
        return tf.data.Dataset.sample_from_datasets(
            datasets,
            weights=tf.constant(equal) if self._rates is None else self._rates,
            seed=fold_name(seed, "mixing"),
            stop_on_empty_dataset=True,
        )


def fold_name(seed: Any, name: str) -> Any:
    """A seed for each name from a seed (int or int64 tensor) below 2**61."""
    return None if seed is None else seed + (zlib.crc32(name.encode()) << 29)
