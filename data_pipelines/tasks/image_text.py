"""Pictures with questions and answers."""

import functools
import math

from data_pipelines import language_sequences, sequences
from data_pipelines.config import DataConfig
from data_pipelines.directories import DataError, RecordedTask
from data_pipelines.schema import RowGroup
from data_pipelines.sequences import SegmentFormat
from data_pipelines.sources import ImageTextDataSource
from data_pipelines.tasks.base import Needs, SeededTask, make_task
from data_pipelines.tokenizers.images import grid
from data_pipelines.tokenizers.tf.text import TfTextTokenizer


def image_patches(task: RecordedTask) -> int:
    """Patches of one of the task's pictures, which all have the recorded size."""
    shape = ImageTextDataSource(task).features["image"].shape
    if None in shape[:2]:
        raise DataError(f"task {task.name!r}: pictures must be recorded in one size, found the shape {shape}")
    return math.prod(grid(*shape[:2]))


def image_text_needs(task: RecordedTask, config: DataConfig, group: RowGroup) -> Needs:
    """Pictures that fit the segment; the rest of it may be text, all of it targets."""
    patches, pairs = image_patches(task), config.stream.image_text_pairs
    whole = min(pairs * patches, group.segment_length)
    targets = min(group.segment_length - patches, group.target_budget) if pairs == 1 else 0
    return Needs(length=patches + 1, frames=pairs, frame_patches=patches, patches=whole, targets=max(0, targets))


def image_text_task(
    task: RecordedTask, config: DataConfig, group: RowGroup, shape: SegmentFormat, text: TfTextTokenizer
) -> SeededTask:
    """The SeqIO task of one recorded collection of pictures with questions."""
    stream = config.stream
    segments = functools.partial(
        language_sequences.image_text_segments,
        task=task.name,
        text=text,
        shape=shape,
        pairs=stream.image_text_pairs,
        image_patches=image_patches(task),
    )
    return make_task(
        task.name,
        ImageTextDataSource(task, episode_buffer=stream.episode_buffer),
        [
            segments,
            functools.partial(
                sequences.rows,
                segments=group.segments,
                shuffle_buffer=stream.shuffle_buffer // stream.virtual_shards,
            ),
        ],
    )
