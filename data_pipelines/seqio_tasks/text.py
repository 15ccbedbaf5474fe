"""Text documents."""

import dataclasses
import functools

import seqio

from data_pipelines.config import DataConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.base import Needs, SeededTask, make_task
from data_pipelines.seqio_tasks.cached_source import CachedSource, batch_documents, read_cache
from data_pipelines.seqio_tasks.sources import TextDataSource
from data_pipelines.sequences import text as text_sequences
from data_pipelines.sequences.windows import WindowFormat
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers.tf.text import TfTextTokenizer


def text_needs(task: RecordedTask, config: DataConfig, group: RowGroup) -> Needs:
    """Every place but the first of a window is a target."""
    return Needs(length=1, targets=group.window_length - 1)


def text_task(
    task: RecordedTask, config: DataConfig, group: RowGroup, shape: WindowFormat, text: TfTextTokenizer
) -> SeededTask:
    """The SeqIO task of one recorded collection of documents."""
    stream = config.stream
    source = TextDataSource(task, episode_buffer=stream.episode_buffer)
    tokenize = functools.partial(text_sequences.tokenize_documents, text=text)
    batch = functools.partial(batch_documents, documents=text_sequences.DOCUMENTS)
    windows = functools.partial(text_sequences.text_windows, shape=shape, pack=stream.pack)

    def cached(directory: str) -> CachedSource:
        files = read_cache(dataclasses.replace(config, cache=directory), task)
        return CachedSource(files, episode_buffer=stream.episode_buffer)

    return make_task(
        task.name,
        source,
        [tokenize, seqio.CacheDatasetPlaceholder(), batch, windows],
        group=group,
        stream=stream,
        read_cache=cached,
        cache=config.cache,
    )
