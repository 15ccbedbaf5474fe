"""The tf.data pipelines of one experiment: checked at start-up, traced once, built for any shard and seed."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import seqio
import tensorflow as tf
from jaxtyping import Float32

from data_pipelines.config import DataConfig
from data_pipelines.fingerprint import needs_text
from data_pipelines.schema import Batch, RowGroup
from data_pipelines.seqio_tasks.base import Needs, SeededMixture, SeededTask
from data_pipelines.seqio_tasks.buffer_sizes import fit_buffers
from data_pipelines.seqio_tasks.feature_converter import GatoFeatureConverter
from data_pipelines.seqio_tasks.registry import KINDS
from data_pipelines.sequences.windows import SegmentFormat
from data_pipelines.storage.recorded_tasks import RecordedTask, read_task
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.tokenizers.tf.text import TfTextTokenizer


@dataclasses.dataclass
class GroupPipeline:
    """One row group's SeqIO mixture and converter."""

    name: str
    group: RowGroup
    mixture: SeededMixture
    converter: GatoFeatureConverter
    needs: Mapping[str, Needs]
    _traced: dict[tuple[str, int], Any] = dataclasses.field(default_factory=dict)

    def shard(self, split: str, *, shards: int) -> Any:
        """A function (shard, seed, rates) -> endless dataset of unconverted rows of one virtual shard.

        Tracing a pipeline costs far more than running it, so all three are tensors and one trace serves all.
        """
        key = (split, shards)
        if key not in self._traced:

            def build(shard: tf.Tensor, seed: tf.Tensor, rates: tf.Tensor) -> tf.data.Dataset:
                return self.rows(split, shard=shard, shards=shards, seed=seed, rates=rates)

            self._traced[key] = tf.function(build, autograph=False)
        return self._traced[key]

    def rates(self, weights: Mapping[str, float]) -> Float32[np.ndarray, "tasks"]:
        """The weights of this group's tasks, in the order of its mixture."""
        return np.asarray([weights[task.name] for task in self.mixture.tasks], np.float32)

    def rows(
        self, split: str, *, shard: tf.Tensor | int, shards: int, seed: tf.Tensor, rates: tf.Tensor
    ) -> tf.data.Dataset:
        """Endless unconverted rows of one virtual shard."""
        return self.mixture.with_rates(rates).get_dataset(
            split=split,
            shuffle=True,
            seed=seed,
            shard_info=seqio.ShardInfo(shard, shards),
            num_epochs=None,
            trim_output_features=False,
            try_in_mem_cache=False,
        )

    def convert(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        return self.converter(
            batches, self.converter.task_feature_lengths(max(need.frames for need in self.needs.values()))
        )


@dataclasses.dataclass
class Pipelines:
    """Everything built once per experiment. Experiments that differ in weights and seed may share it.

    Args:
      config: the data configuration, with weights and seed of the first of them.
      recorded: what lies in the data directory, per task.
      groups: per row group.
      held_out: task -> validation batches that were read last, and how many rows and batches were asked for.
    """

    config: DataConfig
    recorded: dict[str, RecordedTask]
    groups: dict[str, GroupPipeline]
    held_out: dict[str, tuple[tuple[int, int], list[Batch]]] = dataclasses.field(default_factory=dict)

    @classmethod
    def build(cls, config: DataConfig) -> "Pipelines":
        """Checks files, specs and budgets, then makes the SeqIO tasks. Raises one `ValueError` or `OSError`."""
        mixture = config.mixture
        mixture.rows(config.stream.virtual_shards)
        recorded = {name: read_task(config.directory, name) for name in mixture.task_names}
        text = _text_tokenizer(config, recorded)
        groups = {name: _group(name, group, config, recorded, text) for name, group in sorted(mixture.groups.items())}
        return cls(config, recorded, groups)

    def read_whole(self, split: str = "train") -> list[str]:
        """Tasks with too few examples to be dealt to the shards: every shard reads them whole, under its own seed."""
        shards = self.config.stream.virtual_shards
        tasks = [task for group in self.groups.values() for task in group.mixture.tasks if split in task.splits]
        return sorted(task.name for task in tasks if task.source.read_whole(split, shards))

    @property
    def raw_frames(self) -> list[str]:
        """Tasks whose frames the cache holds raw. Fewer of them fit the buffers, so the stream's order is another."""
        groups = self.groups.values()
        return sorted(task for group in groups for task, need in group.needs.items() if need.example_bytes is not None)


def _text_tokenizer(config: DataConfig, recorded: dict[str, RecordedTask]) -> TfTextTokenizer | None:
    if not any(needs_text(config, task) for task in recorded.values()):
        return None
    text = TextTokenizer(resolve_text_model(config.tokens.text_model, config.directory))
    if text.size > config.tokens.vocabulary.text_size:
        raise ValueError(
            f"tokens.vocabulary.text_size = {config.tokens.vocabulary.text_size} is smaller than the "
            f"{text.size} pieces of {text.path}"
        )
    return TfTextTokenizer(text)


def _group(
    name: str, group: RowGroup, config: DataConfig, recorded: dict[str, RecordedTask], text: TfTextTokenizer | None
) -> GroupPipeline:
    needs: dict[str, Needs] = {}
    for task in group.tasks:
        needs[task] = KINDS[recorded[task].kind].needs(recorded[task], config, group)
        needs[task].check(task, name, group)
    frames = max(need.frames for need in needs.values())
    frame_patches = max(need.frame_patches for need in needs.values())
    names = config.mixture.task_names

    def make(task: str) -> SeededTask:
        shape = SegmentFormat(names.index(task), group.segment_length, frames, frame_patches)
        stream = fit_buffers(
            config.stream,
            recorded[task],
            tasks=len(names),
            segment_length=group.segment_length,
            segment_patches=needs[task].frames * needs[task].frame_patches,
            raw_example=needs[task].example_bytes,
        )
        fitted = dataclasses.replace(config, stream=stream)
        return KINDS[recorded[task].kind].task(recorded[task], fitted, group, shape, text)

    mixture = SeededMixture(f"gato_{name}", [make(task) for task in group.tasks])
    converter = GatoFeatureConverter(
        group_name=name,
        group=group,
        frame_patches=frame_patches,
        task_names=names,
        image_sizes={names.index(task): need.image_sizes for task, need in needs.items()},
        image_fit=config.tokens.image_fit,
    )
    return GroupPipeline(name, group, mixture, converter, needs)
