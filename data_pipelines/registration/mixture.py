"""A row group in SeqIO's registry: its tasks at the rates of the mixture."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from data_pipelines.registration import requests
from data_pipelines.registration.registration import Registration
from data_pipelines.registration.task import RegisteredTask
from data_pipelines.seqio_tasks.base import SeededMixture
from data_pipelines.seqio_tasks.group_pipelines import GroupPipeline, Segment
from data_pipelines.sequences.dealing import Ledger


class RegisteredMixture(seqio.Mixture):
    """The tasks of one row group; their rates are the weights of the configuration, at the beginning of its schedule.

    Args:
      name: in the registry.
      group: name of the row group.
      tasks: of the group, all of one registration.
    """

    def __init__(self, name: str, group: str, tasks: Sequence[RegisteredTask]):
        self.registration: Registration = tasks[0].registration
        self.group = group
        weights = self.registration.config.mixture.weights
        super().__init__(name, [(task, float(weights[task.recorded])) for task in tasks])

    def get_dataset(
        self,
        sequence_length=None,
        split="train",
        use_cached=False,
        shuffle=True,
        seed=None,
        shard_info=None,
        num_epochs=None,
        copy_pretokenized=False,
        compute_stats_empirically=False,
        log_mixing_proportions=True,
        passthrough_features=None,
        trim_output_features=True,
        try_in_mem_cache=True,
    ) -> tf.data.Dataset:
        """Rows of the tasks, mixed.

        Shuffled, with a seed and without an end, these are the rows of virtual shard `index` in the stream of
        `num_shards` virtual shards and this seed: every timestep of a task is dealt equally often, over all shards.
        Else they are SeqIO's: passes over each task, drawn at their rates until the first task ends.

        Raises:
          ValueError: what `RegisteredTask.get_dataset` raises, a split that only some tasks have where the stream is
            asked for, or an option without a meaning here.
          DataError: `use_cached`, and no cache fits.
        """
        requests.check_unsupported(
            f"mixture {self.name!r}",
            {
                "copy_pretokenized": copy_pretokenized,
                "compute_stats_empirically": compute_stats_empirically,
                "passthrough_features": passthrough_features,
            },
        )
        for task in self.tasks:
            task.row_format.check_lengths(sequence_length)
        requests.check_split(f"mixture {self.name!r}", split, self.splits)
        requests.check_epochs(num_epochs)
        (index, shards), seed = requests.shard(shard_info), requests.seed_value(seed)
        if shuffle and seed is not None and num_epochs is None:
            return self._stream(split, seed, index, shards, use_cached)
        rated = [(task, rate) for task in self.tasks if (rate := self.get_rate(task))]
        # SeqIO gives all shards one seed, so that all draw the same task at the same position.
        mixed = seqio.Mixture(self.name, rated, sample_fn=functools.partial(_sample, shard=index))
        return mixed.get_dataset(
            split=split,
            use_cached=use_cached,
            shuffle=shuffle,
            seed=seed,
            shard_info=seqio.ShardInfo(index, shards),
            num_epochs=num_epochs,
            log_mixing_proportions=log_mixing_proportions,
            trim_output_features=False,
            try_in_mem_cache=False,
        )

    def _stream(self, split: str, seed: int, index: int, shards: int, use_cached: bool) -> tf.data.Dataset:
        if absent := [task.name for task in self.tasks if split not in task.splits]:
            raise ValueError(
                f"mixture {self.name!r}: without an end, all its tasks are dealt, and {absent} have no split "
                f"{split!r}; ask for a number of epochs, or for single tasks"
            )
        pipelines = self.registration.pipelines(shards)
        config, group = pipelines.config, pipelines.groups[self.group]
        tasks = [self.registration.task(task.name, shards, cached=use_cached) for task in group.mixture.tasks]
        group = GroupPipeline(
            group.name, group.group, SeededMixture(group.mixture.name, tasks), group.converter, group.needs
        )
        steps = config.stream.reseed_every
        table = config.mixture.weight_table(steps)

        def segment(number: int) -> Segment:
            ledgers = {self.group: Ledger(seed, self.group, steps)}
            return Segment.of(config, number, seed=seed, table=table, ledgers=ledgers)

        return requests.unrewritten(group.endless(split, segment, index))

    @property
    def splits(self) -> Sequence[str]:
        return tuple(sorted(super().splits))


def _sample(datasets: Sequence[tf.data.Dataset], rates: Sequence[float], seed: Any, *, shard: int) -> tf.data.Dataset:
    own = None if seed is None else int(np.random.SeedSequence([seed, shard]).generate_state(1)[0])
    return tf.data.Dataset.sample_from_datasets(datasets, rates, own, stop_on_empty_dataset=True)
