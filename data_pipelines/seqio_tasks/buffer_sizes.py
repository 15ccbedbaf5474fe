"""How much a task may hold for shuffling: as many examples and windows as asked for, and as memory allows.

Frames stay encoded in all buffers (or raw, in a cache made so), so an example takes what it takes on disk. Sizes follow
from files and specs alone, never from the number of hosts, as they decide the order of the stream.
"""

import dataclasses

from data_pipelines.config import StreamConfig
from data_pipelines.schema import PATCH_VALUES
from data_pipelines.sequences.windows import PLACES
from data_pipelines.storage.recorded_tasks import RecordedTask

ENCODED = 0.5
"""Bytes of an encoded frame as a share of its pixels: a photograph as PNG has about so many, most frames far fewer."""


def fit_buffers(
    stream: StreamConfig,
    task: RecordedTask,
    *,
    tasks: int,
    window_length: int,
    window_patches: int,
    raw_example: float | None = None,
) -> StreamConfig:
    """The settings of one task's pipelines: its buffers are cut down to its equal part of `buffer_mebibytes`.

    A third of that part each goes to whole examples waiting in random order, to examples being cut into windows, and
    to windows. At least one of each is held.

    Args:
      stream: settings as asked for.
      task: what lies on disk.
      tasks: how many share the memory.
      window_length: places of a window.
      window_patches: patches of a window's frames, at most.
      raw_example: mean bytes of an example whose frames are raw; None = they are encoded, as on disk.
    """
    files = [shard for shards in task.shards.values() for shard in shards]
    example = raw_example or sum(shard.size for shard in files) / sum(shard.records for shard in files)
    frames = (1.0 if raw_example else ENCODED) * window_patches * PATCH_VALUES
    window_bytes = 4 * len(PLACES) * window_length + frames
    part = stream.buffer_mebibytes * 2**20 / tasks / 3
    per_shard = part / stream.virtual_shards
    return dataclasses.replace(
        stream,
        episode_buffer=max(1, min(stream.episode_buffer, int(per_shard / example))),
        interleaved_episodes=max(1, min(stream.interleaved_episodes, int(per_shard / example))),
        shuffle_buffer=max(1, min(stream.shuffle_buffer, int(part / window_bytes))),
    )
