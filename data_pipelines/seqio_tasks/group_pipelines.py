"""The tf.data pipelines of one experiment: checked at start-up, traced once, built for any shard and seed."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from data_pipelines.config import DataConfig
from data_pipelines.fingerprint import needs_text
from data_pipelines.schema import Batch, RowGroup
from data_pipelines.seqio_tasks.base import Needs, SeededMixture, SeededTask
from data_pipelines.seqio_tasks.buffer_sizes import fit_buffers
from data_pipelines.seqio_tasks.deals import PLAN, Plan
from data_pipelines.seqio_tasks.feature_converter import BatchedFeatureConverter
from data_pipelines.seqio_tasks.passes import built_in_turn
from data_pipelines.seqio_tasks.registry import KINDS
from data_pipelines.seqio_tasks.row_format import RowFormat
from data_pipelines.sequences import dealing
from data_pipelines.sequences.dealing import Ledger
from data_pipelines.sequences.windows import WindowFormat
from data_pipelines.startup.quiet import quiet_onednn
from data_pipelines.storage.recorded_tasks import RecordedTask, read_task
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.tokenizers.tf.text import TfTextTokenizer


@dataclasses.dataclass(frozen=True)
class Segment:
    """A segment of the stream.

    Args:
      number: from 0.
      steps: of every segment.
      seed: of the run.
      shards: V.
      table: (first segment, weights) of each phase.
      rows: rows of each group per step, for the first segment of each phase.
      ledgers: of each group, for this stream alone.
    """

    number: int
    steps: int
    seed: int
    shards: int
    table: Sequence[tuple[int, Mapping[str, float]]]
    rows: Mapping[int, Mapping[str, int]]
    ledgers: Mapping[str, Ledger]

    @classmethod
    def of(
        cls, config: DataConfig, number: int, *, seed: int, table: Sequence[tuple[int, Mapping[str, float]]],
        ledgers: Mapping[str, Ledger],
    ) -> "Segment":  # fmt: skip
        """A segment of the stream of a configuration, under any seed and weights."""
        shards = config.stream.virtual_shards
        rows = {first: config.mixture.rows(shards, weights) for first, weights in table}
        return cls(number, config.stream.reseed_every, seed, shards, table, rows, ledgers)

    def seed_of(self, shard: int) -> int:
        """Seed of one virtual shard, below 2**60."""
        key = [self.seed, self.number, shard]
        return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]) >> 4


@dataclasses.dataclass
class GroupPipeline:
    """One row group's SeqIO mixture and converter."""

    name: str
    group: RowGroup
    mixture: SeededMixture
    converter: BatchedFeatureConverter
    needs: Mapping[str, Needs]
    _traced: dict[str, Any] = dataclasses.field(default_factory=dict)

    def shards(self, split: str, segment: Segment, shard_numbers: Sequence[int]) -> list[tf.data.Dataset]:
        """Unconverted rows of these virtual shards in a segment of the stream.

        Tracing a pipeline costs far more than running it, so all that differs is tensors and one trace serves all.
        """
        if split not in self._traced:
            dealt = {task.name: PLAN for task in self.mixture.tasks if task.dealer}
            number = tf.TensorSpec([], tf.int64)
            signature = [number, number, tf.TensorSpec([None], tf.int64), dealt]
            build = functools.partial(self._rows, split, segment.shards)
            self._traced[split] = tf.function(build, autograph=False, input_signature=signature)
        turns, plans = self._deal(split, segment, shard_numbers)
        return [
            self._traced[split](
                tf.constant(shard, tf.int64),
                tf.constant(segment.seed_of(shard), tf.int64),
                tf.constant(turns[:, shard].ravel()),
                {task: {name: tf.constant(values) for name, values in plans[task][shard].items()} for task in plans},
            )
            for shard in shard_numbers
        ]

    def endless(self, split: str, segment: Callable[[int], Segment], shard: int) -> tf.data.Dataset:
        """Unconverted rows of a virtual shard in all segments of the stream, one after another."""
        dealt = {task.name: PLAN for task in self.mixture.tasks if task.dealer}
        spec = (tf.TensorSpec([], tf.int64), tf.TensorSpec([None], tf.int64), dealt)

        def arrays(number: int) -> tuple[int, np.ndarray, dict[str, Plan]]:
            asked = segment(number)
            turns, plans = self._deal(split, asked, [shard])
            return asked.seed_of(shard), turns[:, shard].ravel(), {task: plan[shard] for task, plan in plans.items()}

        def rows(seed: tf.Tensor, turns: tf.Tensor, plans: Mapping[str, Plan]) -> tf.data.Dataset:
            return self._rows(split, segment(0).shards, tf.constant(shard, tf.int64), seed, turns, plans)

        return built_in_turn(None, arrays, spec, rows)

    def _deal(self, split: str, segment: Segment, shard_numbers: Sequence[int]) -> tuple[np.ndarray, dict[str, dict]]:
        """(task of each row [steps, shards, rows], plans of each dealt task and wanted shard)."""
        names = [task.name for task in self.mixture.tasks]
        rows = {first: counts[self.name] for first, counts in segment.rows.items()}
        before, now = segment.ledgers[self.name].rows(segment.number, segment.table, names, rows)
        key = [segment.seed, segment.number, *self.name.encode(), 1]
        turns = dealing.turns(now, np.random.default_rng(key)).reshape(segment.steps, segment.shards, -1)
        shard_of = np.broadcast_to(np.arange(segment.shards)[None, :, None], turns.shape)
        plans = {}
        for number, task in enumerate(self.mixture.tasks):
            if task.dealer is not None:
                shards = np.repeat(shard_of[turns == number], self.group.windows)
                first = int(before[number]) * self.group.windows
                plans[task.name] = task.dealer.segment(
                    split, segment.seed, segment.number, first, shards, shard_numbers
                )
        return turns, plans

    def _rows(
        self, split: str, shards: int, shard: tf.Tensor, seed: tf.Tensor, turns: tf.Tensor, plans: Mapping[str, Plan]
    ) -> tf.data.Dataset:
        """Unconverted rows of one virtual shard in one segment."""
        return self.mixture.dealt(turns, plans).get_dataset(
            split=split,
            shuffle=True,
            seed=seed,
            shard_info=seqio.ShardInfo(shard, shards),
            num_epochs=None,
            trim_output_features=False,
            try_in_mem_cache=False,
        )

    def convert(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        return self.converter(batches, self.converter.task_feature_lengths)


@dataclasses.dataclass
class Pipelines:
    """Everything built once per experiment. Experiments that differ in weights and seed may share it.

    Args:
      config: the data configuration, with weights and seed of the first of them.
      recorded: what the data directory contains, by task.
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
        quiet_onednn()
        text = _text_tokenizer(config, recorded)
        groups = {name: _group(name, group, config, recorded, text) for name, group in sorted(mixture.groups.items())}
        return cls(config, recorded, groups)

    def read_whole(self, split: str = "train") -> list[str]:
        """Tasks with too few examples to be dealt to the shards: every shard reads them whole, under its own seed."""
        shards = self.config.stream.virtual_shards
        tasks = [task for group in self.groups.values() for task in group.mixture.tasks if split in task.splits]
        return sorted(task.name for task in tasks if not task.dealer and task.source.read_whole(split, shards))

    def unprompted(self, split: str = "train") -> list[str]:
        """Tasks that would have prompts, had any of their episodes another one of its agent."""
        if not self.config.stream.prompt_share:
            return []
        tasks = [task for group in self.groups.values() for task in group.mixture.tasks if split in task.splits]
        return sorted(task.name for task in tasks if task.dealer and not task.dealer.prompted(split))

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
        shape = WindowFormat(names.index(task), group.window_length, frames, frame_patches)
        stream = fit_buffers(
            config.stream,
            recorded[task],
            tasks=len(names),
            window_length=group.window_length,
            window_patches=needs[task].frames * needs[task].frame_patches,
            raw_example=needs[task].example_bytes,
        )
        fitted = dataclasses.replace(config, stream=stream)
        return KINDS[recorded[task].kind].task(recorded[task], fitted, group, shape, text)

    mixture = SeededMixture(f"gato_{name}", [make(task) for task in group.tasks])
    rows = RowFormat(
        group_name=name,
        group=group,
        frames=frames,
        frame_patches=frame_patches,
        task_names=names,
        image_sizes={names.index(task): need.image_sizes for task, need in needs.items()},
        image_fit=config.tokens.image_fit,
    )
    return GroupPipeline(name, group, mixture, BatchedFeatureConverter(rows), needs)
