"""The training stream: a pure function of (seed, step, weight table) on any number of hosts.

V virtual shards, each a pipeline of its own, are dealt to the hosts in contiguous blocks. Every `reseed_every` steps
all pipelines start afresh with new seeds, each task where it stood, so a position in the data is a number; a resume
rebuilds the segment and skips inside it. The next segment is built ahead in a thread.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.differences import difference_lines
from data_pipelines.errors import assertion_text
from data_pipelines.fingerprint import PIPELINE_VERSION, describe, with_names_of_today
from data_pipelines.schema import Batch
from data_pipelines.seqio_tasks.explain_failures import explain
from data_pipelines.seqio_tasks.group_pipelines import Pipelines, Segment
from data_pipelines.sequences.dealing import Ledger
from data_pipelines.storage.recorded_tasks import corrupt_files
from data_pipelines.stream.resolve_mixture import resolve
from data_pipelines.stream.validation import tf_options, validation_batches

__all__ = ["DataConfig", "Stream", "StreamConfig", "batch_hash", "validation_batches"]

_log = logging.getLogger(__name__)


class Stream(Iterator[dict[str, Batch]]):
    """Endless iterator of {group: batch}, NumPy, this host's rows of each global batch in order.

    Args:
      config: the data configuration.
      host: this host's index.
      hosts: number of hosts; it divides V.
      start_step: step of the first batch.
      split: split of every task.
      pipelines: those of another stream whose configuration differs in weights and seed only, to share what they have
        traced and read.

    Raises:
      ValueError, OSError: at construction, before anything is computed, when files, specs, budgets or numbers of
        rows do not fit.
      TimestepError: while streaming, on recorded values that cannot become tokens.

    Examples:
      >>> from data_pipelines import DataConfig, MixtureConfig, RowGroup, Stream, StreamConfig, TokenConfig, Vocabulary
      >>> task = "metaworld.drawer_close"
      >>> rows = RowGroup((task,), window_length=44)
      >>> mixture = MixtureConfig({task: 1.0}, {"metaworld": rows}, rows_per_step=4)
      >>> tokens = TokenConfig(Vocabulary(1024))
      >>> stream = Stream(DataConfig("data", tokens, mixture, StreamConfig(virtual_shards=2, prompt_share=0)))
      >>> next(stream)["metaworld"]["tokens"].shape
      (4, 44)
      >>> stream.close()
    """

    def __init__(
        self,
        config: DataConfig,
        *,
        host: int = 0,
        hosts: int = 1,
        start_step: int = 0,
        split: str = "train",
        pipelines: Pipelines | None = None,
    ):
        config = resolve(config)
        if start_step < 0:
            raise ValueError(f"start_step must not be negative, found {start_step}")
        shards = config.stream.virtual_shards
        if hosts < 1 or shards % hosts:
            raise ValueError(
                f"stream.virtual_shards = {shards} must be divisible by the number of hosts, found {hosts}"
            )
        if not 0 <= host < hosts:
            raise ValueError(f"host must lie in [0, {hosts}), found {host}")
        self.config = config
        self.task_names = config.mixture.task_names
        self._scheduled = config.mixture.weight_table(config.stream.reseed_every)
        self._weight_table = list(self._scheduled)
        self.pipelines = pipelines or Pipelines.build(config)
        for name, task in self.pipelines.recorded.items():
            if not task.examples(split):
                raise ValueError(
                    f"task {name!r} has no examples in split {split!r}, found splits {sorted(task.shards)}"
                )
        self.read_whole = self.pipelines.read_whole(split)
        if self.read_whole:
            _log.warning(
                "read whole by each of the %d virtual shards, as they have too few examples to deal out: %s",
                shards, ", ".join(self.read_whole),
            )  # fmt: skip
        if alone := self.pipelines.unprompted(split):
            _log.warning("no prompts for tasks of which no agent has a second episode: %s", ", ".join(alone))
        self._split, self._step = split, start_step
        self._shards = range(host * shards // hosts, (host + 1) * shards // hosts)
        self._ledgers = {
            name: Ledger(config.stream.seed, name, config.stream.reseed_every) for name in self.pipelines.groups
        }
        self._fingerprint = describe(config, self.pipelines.recorded, split, self.pipelines.raw_frames)
        self._segment: int | None = None
        self._iterator: Iterator[dict[str, Batch]] | None = None
        self._ahead: _Ahead | None = None

    @property
    def step(self) -> int:
        """Step of the next batch."""
        return self._step

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each task at the next batch."""
        return self._weights_in(self._step // self.config.stream.reseed_every)

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each group in the next global batch."""
        return self.config.mixture.rows(self.config.stream.virtual_shards, self.weights)

    @property
    def realised_shares(self) -> dict[str, float]:
        """Share of each task in the rows of the next batch, as dealt to the groups."""
        return self.config.mixture.realised_shares(self.config.stream.virtual_shards, self.weights)

    @property
    def loss_weights(self) -> dict[str, float]:
        """Share of each group in the loss of the next batch."""
        return self.config.mixture.loss_weights(self.rows)

    def set_weights(self, weights: Mapping[str, float]) -> int:
        """Mixes by other weights from the earliest segment that is not being built yet, and returns that segment.

        A mixture controller that calls this with the logged losses at the end of segment n sets segment n + 2. All
        hosts must call it at the same step with the same weights. The change is a part of `position()`.

        Raises:
          ValueError: weights of other tasks, or a mixture whose schedule goes on later.
        """
        self.config.mixture.check_weights(weights)
        segment = (self._step - 1) // self.config.stream.reseed_every + 2 if self._step else 1
        last, _ = self._weight_table[-1]
        if last >= segment:
            raise ValueError(f"weights cannot be set for segment {segment}: they are already set for segment {last}")
        self._weight_table.append((segment, {task: float(weight) for task, weight in weights.items()}))
        return segment

    def _weights_in(self, segment: int) -> dict[str, float]:
        return next(weights for first, weights in reversed(self._weight_table) if first <= segment)

    def __next__(self) -> dict[str, Batch]:
        segment, inside = divmod(self._step, self.config.stream.reseed_every)
        try:
            if segment != self._segment or self._iterator is None:
                self._iterator = self._open(segment, inside)
                self._segment = segment
            batch = next(self._iterator)
        except tf.errors.OpError as error:
            raise self._explain(error) from error
        self._step += 1
        # Half a segment is time enough; a longer lead would only hold more buffers in memory.
        if inside >= self.config.stream.reseed_every // 2 and self._ahead is None:
            self._ahead = _Ahead(segment + 1, self._make)
        return batch

    def position(self) -> dict[str, Any]:
        """JSON-able position of the next batch, enough to go on elsewhere on any number of hosts."""
        stream = self.config.stream
        return {
            "step": self._step,
            "seed": stream.seed,
            "virtual_shards": stream.virtual_shards,
            "weights": _plain_table(self._weight_table),
            "fingerprint": self._fingerprint,
        }

    def restore(self, position: dict[str, Any]) -> None:
        """Goes to a position. Raises `ValueError` naming every setting and file in which this stream differs."""
        version = position.get("fingerprint", {}).get("pipeline")
        if isinstance(version, int) and version != PIPELINE_VERSION:
            raise ValueError(
                f"the data position was saved by version {version} of the data pipeline, which deals other batches "
                f"than version {PIPELINE_VERSION}. Such a run can be evaluated and exported, but not continued: "
                "begin a new one from its weights"
            )
        saved_table, scheduled = position.get("weights"), _plain_table(self._scheduled)
        # What was set while running follows the schedule, and is taken over.
        goes_on = isinstance(saved_table, list) and saved_table[: len(scheduled)] == scheduled
        mine = {**self.position(), "step": position.get("step"), "weights": saved_table if goes_on else scheduled}
        sides = (json.loads(json.dumps(with_names_of_today(side))) for side in (position, mine))
        differences = difference_lines(*sides)
        if differences or not isinstance(position.get("step"), int):
            listing = "\n  ".join(differences) or f"step: expected a number, found {position.get('step')!r}"
            raise ValueError(f"the data position was saved from another stream (saved -> here):\n  {listing}")
        self._step = position["step"]
        self._weight_table = [(int(first), dict(weights)) for first, weights in position["weights"]]
        self._forget()

    def validation_batches(self, task: str, limit: int) -> list[Batch]:
        """`validation_batches`, read once by all streams that share these pipelines."""
        rows = self.config.mixture.rows(self.config.stream.virtual_shards)[self.config.mixture.group_of(task)]
        asked, (cached_request, batches) = (rows, limit), self.pipelines.held_out.get(task, (None, []))
        if cached_request != asked:
            batches = list(validation_batches(self.config, task, limit, pipelines=self.pipelines))
            self.pipelines.held_out[task] = asked, batches
        return batches

    def close(self) -> None:
        """Ends the pipelines and the thread that builds ahead."""
        self._forget()

    def _forget(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.discard()
        self._iterator = self._segment = None

    def _open(self, segment: int, inside: int) -> Iterator[dict[str, Batch]]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.segment == segment and not inside:
            return ahead.result()
        if ahead is not None:
            ahead.discard()
        return self._make(segment, inside)

    def _make(self, segment: int, inside: int = 0) -> Iterator[dict[str, Batch]]:
        stream, mixture = self.config.stream, self.config.mixture
        table = list(self._weight_table)
        asked = Segment.of(self.config, segment, seed=stream.seed, table=table, ledgers=self._ledgers)
        rows = mixture.rows(stream.virtual_shards, self._weights_in(segment))
        groups = {}
        for name, group in self.pipelines.groups.items():
            shards = group.shards(self._split, asked, self._shards)
            # Skipping happens before frames are decoded and masks are made.
            batches = _in_blocks(shards, rows[name] // stream.virtual_shards).skip(inside)
            groups[name] = group.convert(batches)
        dataset = tf.data.Dataset.zip(groups).prefetch(stream.prefetch).with_options(tf_options(stream.threads))
        return dataset.as_numpy_iterator()

    def _explain(self, error: tf.errors.OpError) -> Exception:
        if isinstance(error, tf.errors.DataLossError):
            files = [shard for task in self.pipelines.recorded.values() for shard in task.shards.get(self._split, ())]
            return RuntimeError(f"damaged records in {corrupt_files(files) or 'the data directory'}: {error.message}")
        # Our own checks end in an assertion whose text is what the user needs; the rest is TensorFlow's path to it.
        if misfit := explain(error.message, self.pipelines.recorded, self.config.tokens, self.config.directory):
            return misfit
        message = assertion_text(error.message) or error.message
        return RuntimeError(f"the data pipeline failed at step {self._step}: {message}")


def _plain_table(table: Sequence[tuple[int, Mapping[str, float]]]) -> list[list[Any]]:
    """A weight table as JSON has it: [[first segment, {task: weight}], ...]."""
    return [[first, {task: float(weight) for task, weight in sorted(weights.items())}] for first, weights in table]


class _Ahead:
    """Builds the next segment and its first batch in a thread."""

    def __init__(self, segment: int, make: Any):
        self.segment = segment
        self._make = make
        self._iterator: Iterator[dict[str, Batch]] = iter(())
        self._first: dict[str, Batch] | None = None
        self._error: BaseException | None = None
        # No daemon: an interpreter that ends while TensorFlow builds a pipeline crashes.
        self._thread = threading.Thread(target=self._run, name=f"segment-{segment}")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._iterator = self._make(self.segment)
            self._first = next(self._iterator)
        except BaseException as error:  # Raised again where the segment is wanted.
            self._error = error

    def result(self) -> Iterator[dict[str, Batch]]:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return _chain(self._first, self._iterator)

    def discard(self) -> None:
        self._thread.join()
        self._iterator, self._first = iter(()), None


def _chain(first: Any, rest: Iterator) -> Iterator:
    yield first
    yield from rest


def _in_blocks(shards: Sequence[tf.data.Dataset], rows: int) -> tf.data.Dataset:
    """Batches of `rows` rows of each shard, one shard's after the other's."""
    turns = tf.data.Dataset.from_tensor_slices(np.repeat(np.arange(len(shards)), rows)).repeat()
    return tf.data.Dataset.choose_from_datasets(shards, turns).batch(rows * len(shards), drop_remainder=True)


def batch_hash(batch: dict[str, Batch]) -> str:
    """Digest of a batch: names, dtypes, shapes and values. Equal batches have equal digests anywhere."""
    digest = hashlib.sha256()
    for group in sorted(batch):
        for name in sorted(batch[group]):
            array = np.ascontiguousarray(batch[group][name])
            digest.update(f"{group}/{name}/{array.dtype.str}/{array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
