"""Interleaved documents: text and pictures in the order in which they are read."""

import functools

from data_pipelines.config import DataConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.base import Needs, SeededTask, make_task
from data_pipelines.seqio_tasks.image_text import check_positions
from data_pipelines.seqio_tasks.sources import DocumentDataSource
from data_pipelines.sequences import documents as document_sequences
from data_pipelines.sequences.windows import WindowFormat
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask
from data_pipelines.tokenizers.tf.text import TfTextTokenizer


def largest_picture(task: RecordedTask) -> int:
    """Patches of the task's largest picture."""
    if task.image_patches is None:
        raise DataError(f"task {task.name!r}: spec.json must name image_patches, found none")
    return task.image_patches[1]


def patch_budget(group: RowGroup) -> int:
    """Patches that a window may have: its share of the row's, and no more than it has places."""
    return min(group.patches // group.windows, group.window_length)


def document_needs(task: RecordedTask, config: DataConfig, group: RowGroup) -> Needs:
    """Room for the largest picture; more pictures share a window as far as the row's budget goes."""
    largest = largest_picture(task)
    check_positions(task, config, largest)
    images = config.stream.document_images
    # A window of text alone has a target everywhere but at its first place.
    return Needs(
        length=largest,
        frames=images,
        frame_patches=largest,
        patches=max(largest, min(images * largest, patch_budget(group))),
        targets=group.window_length - 1,
        image_sizes=(None,),
    )


def document_task(
    task: RecordedTask, config: DataConfig, group: RowGroup, shape: WindowFormat, text: TfTextTokenizer
) -> SeededTask:
    """The SeqIO task of one collection of interleaved documents."""
    stream = config.stream
    source = DocumentDataSource(task, episode_buffer=stream.episode_buffer)
    windows = functools.partial(
        document_sequences.document_windows,
        text=text,
        shape=shape,
        images=stream.document_images,
        patches=patch_budget(group),
    )
    return make_task(task.name, source, [windows], group=group, stream=stream)
