"""Where each record of a task lies, and how many timesteps it holds. Read once, kept beside the data. No TensorFlow."""

import dataclasses
import io
import logging
import pathlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from data_pipelines import atomic_files
from data_pipelines.storage.example_fields import BYTES, INTS, features, fields
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask, Shard
from data_pipelines.storage.records import frames, payloads

_log = logging.getLogger(__name__)

AGENT = "agent"
"""Feature of an episode that names who acted in it, where the source of the data says so."""


@dataclasses.dataclass(frozen=True)
class Records:
    """Places of all records of a split, in the order of its files.

    Args:
      paths: the files.
      file: index into `paths`, int32 [records].
      offset: byte at which the record's frame begins, int64 [records].
    """

    paths: tuple[str, ...]
    file: Int[np.ndarray, " records"]
    offset: Int[np.ndarray, " records"]


@dataclasses.dataclass(frozen=True)
class Episodes:
    """What dealing needs to know of all episodes of a split.

    Args:
      timesteps: without the last step, which has no action, int32 [episodes].
      agent: who acted, as a number; 0 everywhere where the data do not say, int32 [episodes].
    """

    timesteps: Int[np.ndarray, " episodes"]
    agent: Int[np.ndarray, " episodes"]


def read_records(files: Sequence[Shard]) -> Records:
    """Places of the records of files that `check_tfrecord` found whole."""
    offsets = [np.fromiter((begin for begin, _ in frames(shard)), np.int64, shard.records) for shard in files]
    file = np.repeat(np.arange(len(files), dtype=np.int32), [shard.records for shard in files])
    return Records(tuple(str(shard.path) for shard in files), file, np.concatenate([np.zeros(0, np.int64), *offsets]))


def read_episodes(task: RecordedTask, split: str) -> Episodes:
    """Lengths and agents of a split's episodes, from the index beside the data or from the records themselves.

    Only the heads of features are read, never frames. The index is named by the contents of the files, so it cannot be
    that of other data; where the directory may not be written, it is made again next time, which is said.

    Raises:
      DataError: a record is no RLDS episode.
    """
    files = task.shards.get(split, ())
    path = task.directories[0] / f"episodes-{split}.npz"
    contents = " ".join(shard.framing.contents for shard in files)
    if (cached := _load(path, contents)) is not None:
        return cached
    facts = [_describe(record, shard, number) for shard in files for number, record in enumerate(payloads(shard))]
    _, agents = np.unique([agent for _, agent in facts], return_inverse=True)
    episodes = Episodes(np.array([timesteps for timesteps, _ in facts], np.int32), agents.astype(np.int32))
    buffer = io.BytesIO()
    np.savez(buffer, timesteps=episodes.timesteps, agent=episodes.agent, contents=np.array(contents))
    try:
        atomic_files.write_bytes(path, buffer.getvalue())
    except OSError as error:
        _log.warning("the lengths of %d episodes are read anew at every start, as %s", len(facts), error)
    return episodes


def _load(path: pathlib.Path, contents: str) -> Episodes | None:
    """An index that was made from these files, else None."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            if str(stored["contents"]) == contents:
                return Episodes(stored["timesteps"], stored["agent"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        _log.warning("%s is made anew: %s", path, error)
    return None


def _describe(record: memoryview, shard: Shard, number: int) -> tuple[int, str]:
    """(timesteps, agent) of one serialised `tf.train.Example` of an RLDS episode."""
    agent, steps = "", None
    try:
        for name, kind, begin, end in features(record):
            if name == AGENT and kind == BYTES:
                agent = _first_bytes(record, begin, end)
            elif name in ("steps/is_first", "steps/is_last", "steps/is_terminal") and kind == INTS:
                steps = _count_ints(record, begin, end)
    except (IndexError, UnicodeDecodeError) as error:
        raise DataError(f"{shard.path}: record {number} is no tf.train.Example: {error}") from error
    if steps is None:
        raise DataError(f"{shard.path}: record {number} has no steps/is_first, expected an RLDS episode")
    return max(0, steps - 1), agent


def _count_ints(record: memoryview, begin: int, end: int) -> int:
    """Numbers in an int64 list, packed or not."""
    packed = sum(
        int(np.count_nonzero(np.frombuffer(record[first:last], np.uint8) < 128))
        for _, first, last in fields(record, begin, end)
    )
    if packed or begin == end:
        return packed
    return int(np.count_nonzero(np.frombuffer(record[begin:end], np.uint8) < 128)) // 2


def _first_bytes(record: memoryview, begin: int, end: int) -> str:
    for _, first, last in fields(record, begin, end):
        return bytes(record[first:last]).decode()
    return ""
