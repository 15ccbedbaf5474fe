"""A recorded task in SeqIO's registry."""

import pathlib
import secrets

import seqio
import tensorflow as tf
from absl import logging

from data_pipelines.registration import requests
from data_pipelines.registration.registration import Registration
from data_pipelines.registration.vocabulary import RowVocabulary
from data_pipelines.seqio_tasks.base import FEATURES, fold_name
from data_pipelines.seqio_tasks.row_format import RowFormat


class RegisteredTask(seqio.Task):
    """Rows {places [K, 6, S], frames [K, F], task_id [K]} of one recorded task, read as SeqIO reads any task.

    Args:
      registration: which it is part of.
      recorded: the recorded task's name.
      vocabulary: of its rows.

    Attributes:
      row_format: of its rows.
    """

    def __init__(self, registration: Registration, recorded: str, vocabulary: RowVocabulary):
        task = registration.task(recorded, 1, cached=False)
        self.registration, self.recorded = registration, recorded
        self.row_format: RowFormat = (
            registration.pipelines(1).groups[registration.config.mixture.group_of(recorded)].converter.rows
        )
        super().__init__(
            f"{registration.name}.{recorded}",
            task.source,
            row_features(vocabulary),
            task.preprocessors,
            shuffle_buffer_size=None,
        )

    def get_dataset(
        self,
        sequence_length=None,
        split="train",
        use_cached=False,
        shuffle=True,
        shuffle_buffer_size=None,
        seed=None,
        shard_info=None,
        num_epochs=1,
        trim_output_features=True,
        try_in_mem_cache=True,
    ) -> tf.data.Dataset:
        """Rows of passes over a shard: in each, everything that the shard has, once.

        Shuffled windows are cut anew in every pass, and some begin with a prompt; without `shuffle` they come in the
        order of the files, without prompts. A pass ends with a row that padding fills up. `sequence_length` may only
        name the rows' own lengths, so nothing is trimmed, and nothing is held in memory whatever `try_in_mem_cache`
        says. The rest is as in `seqio.Task`.

        Raises:
          ValueError: another length, an unknown split, shard or seed, `shuffle_buffer_size`, or no end is asked for and
            the shard is empty.
          DataError: `use_cached`, and no cache fits.
        """
        self.row_format.check_lengths(sequence_length)
        requests.check_split(f"task {self.name!r}", split, self.splits)
        requests.check_epochs(num_epochs)
        (index, shards), seed = requests.shard(shard_info), requests.seed_value(seed)
        if shuffle_buffer_size is not None:
            raise ValueError(
                f"task {self.name!r}: the buffer is a setting of the data, stream.shuffle_buffer = "
                f"{self.registration.config.stream.shuffle_buffer}; found shuffle_buffer_size={shuffle_buffer_size}"
            )
        if use_cached and not self.supports_caching:
            logging.warning("Task %r holds pictures as recorded and is never cached; it is read from there.", self.name)
        task = self.registration.task(self.recorded, shards, cached=use_cached)
        if task.dealer is None:
            self._check_documents(split, num_epochs, shards)
            seed = secrets.randbits(32) if shuffle and seed is None else seed
        dataset = task.get_dataset(
            split=split,
            shuffle=shuffle,
            seed=fold_name(seed, self.recorded) if shuffle else None,
            shard_info=seqio.ShardInfo(index, shards),
            num_epochs=num_epochs,
            trim_output_features=False,
            try_in_mem_cache=False,
        )
        return requests.unrewritten(dataset)

    def _check_documents(self, split: str, epochs: int | None, shards: int) -> None:
        """An empty shard without an end would end at once, and with it every mixture."""
        if epochs is None and (documents := self.num_input_examples(split)) < shards:
            raise ValueError(
                f"task {self.name!r}, split {split!r}: {documents} documents cannot be dealt to {shards} shards for "
                "ever, as some would be empty; ask for fewer shards, or read the mixture with a seed"
            )

    @property
    def cache_dir(self) -> str | None:
        """The first of SeqIO's cache directories that `gato cache` wrote this task to, and its folder there."""
        directories = self.registration.cache_directories(self.recorded)
        return str(pathlib.Path(directories[0]) / self.recorded) if directories else None

    def replace(self, **kwargs):
        raise ValueError(
            f"task {self.name!r}: its preprocessors depend on each other; register a DataConfig that has what you want"
        )


def row_features(vocabulary: RowVocabulary) -> dict[str, seqio.Feature]:
    """The features of a row. Frames and task numbers have no ids of their own, so they pass through."""
    names = seqio.PassThroughVocabulary(size=len(vocabulary.task_names))
    vocabularies = {"places": vocabulary, "frames": seqio.PassThroughVocabulary(size=0), "task_id": names}
    return {
        name: seqio.Feature(vocabularies[name], add_eos=False, dtype=feature.dtype, rank=feature.rank)
        for name, feature in FEATURES.items()
    }
