"""SeqIO data sources over the TFDS directories of a recorded task.

Reading needs no TFDS builder: the records are parsed by the TFDS features, with nested `steps` skipped into plain
[T, ...] tensors (14 times faster) and images left encoded. Everything that varies between pipelines (shard and seed)
may be a tensor, so one traced graph serves every shard and every segment of the stream.
"""

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.read_json import read_json
from data_pipelines.seqio_tasks.deals import Part
from data_pipelines.seqio_tasks.record_sharding import READ_BUFFER, numbered_records
from data_pipelines.sequences.numbering import numbered
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask


class RecordFileSource(seqio.DataSource):
    """Examples in the TFRecord files of one task, dealt to shards in a fixed order.

    Args:
      task: the task and its files.
      episode_buffer: examples held to shuffle their order, per shard.
    """

    def __init__(self, task: RecordedTask, *, episode_buffer: int = 64):
        super().__init__(splits=tuple(task.shards), performs_internal_shuffling=True)
        self.task = task
        self._episode_buffer = episode_buffer
        self.limit: int | None = None
        """Only so many examples, for estimates from a sample."""

    @property
    def supports_arbitrary_sharding(self) -> bool:
        return True

    def list_shards(self, split: str) -> list[str]:
        return [str(shard.path) for shard in self.task.shards[split]]

    def num_input_examples(self, split: str) -> int:
        return self.task.examples(split)

    def read_whole(self, split: str, shards: int) -> bool:
        """Whether every shard reads everything, as there are too few examples to deal out."""
        return self.num_input_examples(split) < shards

    def get_dataset(
        self,
        split: str = "train",
        shuffle: bool = True,
        seed: int | tf.Tensor | None = None,
        shard_info: seqio.ShardInfo | None = None,
        **unused: Any,
    ) -> tf.data.Dataset:
        """Parsed examples; shard index and seed may be tensors.

        Each has its `example_id`, int64: its number in the task, whatever the shard and the order are. What a `Part`
        asks for also has `part`, the timesteps that are wanted, and `sequences`, what they become (`cuts.Sequences`).
        """
        if isinstance(shard_info, Part):
            return self._dealt(split, shard_info.plan)
        index, shards = (shard_info.index, shard_info.num_shards) if shard_info else (0, 1)
        files = self.task.shards[split]
        first, order = self.task.first_ids()[str(files[0].path)], seed if shuffle else None
        records = numbered_records(files, first=first, shard=index, shards=shards, seed=order)
        if self.limit is not None:
            records = records.take(self.limit)
        if shuffle:
            records = records.shuffle(self._episode_buffer, seed=seed)
        return records.map(self._parse)

    def _dealt(self, split: str, plan: Mapping[str, tf.Tensor]) -> tf.data.Dataset:
        """Examples that a plan visits, in its order, each read by itself where it lies."""
        paths = tf.constant(self.list_shards(split))
        names = ("file", "offset", "number", "begin", "end", "first", "count")

        def read(visit: dict[str, tf.Tensor]) -> tf.data.Dataset:
            records = tf.raw_ops.TFRecordDatasetV2(
                filenames=tf.gather(paths, visit["file"])[None],
                compression_type="",
                buffer_size=READ_BUFFER,
                byte_offsets=visit["offset"][None],
            )
            one = tf.data.experimental.from_variant(records, tf.TensorSpec([], tf.string)).take(1)
            return one.map(lambda record: (visit, record))

        def parse(visit: dict[str, tf.Tensor], record: tf.Tensor) -> dict[str, Any]:
            first, count = visit["first"], visit["count"]
            visit_fields = {
                "part": tf.stack([visit["begin"], visit["end"]]),
                "sequences": plan["sequences"][first : first + count],
            }
            return {**self._parse(visit["number"], record), **visit_fields}

        visits = tf.data.Dataset.from_tensor_slices({name: plan[name] for name in names})
        return visits.flat_map(read).map(parse)

    def read_files(self, paths: Sequence[str]) -> tf.data.Dataset:
        """Parsed examples of these files, in order, with the ids that `get_dataset` gives them."""
        first = self.task.first_ids()
        starts = tf.constant([first[path] for path in paths], tf.int64)
        return tf.data.Dataset.from_tensor_slices((list(paths), starts)).flat_map(_numbered).map(self._parse)

    def _parse(self, index: tf.Tensor, record: tf.Tensor) -> dict[str, Any]:
        return {**self.parse(record), "example_id": index}

    @abc.abstractmethod
    def parse(self, record: tf.Tensor) -> dict[str, Any]:
        """One serialised example."""


def _numbered(path: tf.Tensor, start: tf.Tensor) -> tf.data.Dataset:
    """Records of a file with their numbers from `start` on."""
    return numbered(tf.data.TFRecordDataset(path), start)


class RecordedSource(RecordFileSource):
    """Examples of one recorded task, in any number of TFDS directories.

    Args:
      task: the recorded task.
      decoders: TFDS decoders of its features.
      episode_buffer: as in `RecordFileSource`.

    Raises:
      DataError: the directories disagree about features.
    """

    def __init__(self, task: RecordedTask, *, decoders: Any, episode_buffer: int = 64):
        super().__init__(task, episode_buffer=episode_buffer)
        self._decoders = decoders
        configs = [read_json(path / "features.json", "the features of a TFDS directory") for path in task.directories]
        for path, config in zip(task.directories, configs, strict=True):
            if config != configs[0]:
                raise DataError(f"task {task.name!r}: features of {path} differ from those of {task.directories[0]}")
        self.features = tfds.features.FeatureConnector.from_config(str(task.directories[0]))

    def parse(self, record: tf.Tensor) -> dict[str, Any]:
        return self.features.deserialize_example(record, decoders=self._decoders)


class RldsDataSource(RecordedSource):
    """Episodes: {"steps": {key: [T, ...]}, "example_id"}; images stay encoded strings [T]."""

    def __init__(self, task: RecordedTask):
        super().__init__(task, decoders={"steps": tfds.decode.SkipDecoding()})
        if "steps" not in self.features:
            raise DataError(f"task {task.name!r}: expected RLDS episodes with 'steps', found {sorted(self.features)}")


class TextDataSource(RecordedSource):
    """Documents: {"text": string, "example_id"}."""

    def __init__(self, task: RecordedTask, *, episode_buffer: int = 256):
        super().__init__(task, decoders=None, episode_buffer=episode_buffer)
        if "text" not in self.features:
            raise DataError(f"task {task.name!r}: expected documents with 'text', found {sorted(self.features)}")


class ImageTextDataSource(RecordedSource):
    """Pictures with text, of a "vqa" or a "captions" task.

    Examples: {"image": encoded string, "question", "answer": string, "example_id"}, or "captions" [n] instead of
    question and answer; "height" and "width" where the pictures of the task differ in size.
    """

    def __init__(self, task: RecordedTask, *, episode_buffer: int = 256):
        super().__init__(task, decoders={"image": tfds.decode.SkipDecoding()}, episode_buffer=episode_buffer)
        texts = {"captions"} if task.kind == "captions" else {"question", "answer"}
        expected = {"image", *texts}
        if not self.image_shape_is_static:
            expected |= {"height", "width"}
        if missing := expected - set(self.features):
            raise DataError(f"task {task.name!r}: no {sorted(missing)} in its features, found {sorted(self.features)}")

    @property
    def image_shape_is_static(self) -> bool:
        """Whether all pictures have the size that the features name."""
        return "image" in self.features and None not in self.features["image"].shape[:2]


class DocumentDataSource(RecordedSource):
    """Interleaved documents: {"texts": [n + 1], "images": encoded [n], "sizes": [n, 2], "example_id"}.

    They read texts[0], images[0], texts[1], ..., texts[n]; texts may be empty.
    """

    def __init__(self, task: RecordedTask, *, episode_buffer: int = 256):
        super().__init__(task, decoders={"images": tfds.decode.SkipDecoding()}, episode_buffer=episode_buffer)
        missing = {"texts", "images", "sizes"} - set(self.features)
        if missing:
            raise DataError(f"task {task.name!r}: no {sorted(missing)} in its features, found {sorted(self.features)}")
