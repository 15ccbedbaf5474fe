"""Demonstrations as the stream reads them: RLDS episodes in TFDS directories. Imports TensorFlow."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.importing.common.errors import ImportingError
from data_pipelines.importing.control.episodes import Demonstration, as_text
from data_pipelines.importing.control.frames import FrameError, stored_frames
from data_pipelines.importing.control.options import Channels, ControlOptions
from data_pipelines.recording.writers import VERSION, feature
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import nest

SPLITS = ("train", "validation")


@dataclasses.dataclass
class Encoder:
    """Turns demonstrations into examples of one spec.

    Args:
      spec: the task.
      channels: what becomes of frames with four channels.
      options: which pictures are scaled; whether continuous actions out of the spec's range are clipped, and counted,
        or an error.
      clipped: actions that had a value out of range, so far.
    """

    spec: TaskSpec
    channels: Channels
    options: ControlOptions
    clipped: int = 0

    def encode(self, demonstration: Demonstration) -> dict[str, Any]:
        """An example as `features` describes it. Raises `ImportingError` naming task, episode, key, expected, found."""
        steps = demonstration.steps
        observation = {
            item.path: self._values(demonstration.id, item, demonstration.observation[item.key])
            for item in self.spec.observation
        }
        action = self._action(demonstration)
        index = np.arange(steps + 1)
        terminal = demonstration.terminal & (index == steps)
        return {
            "steps": {
                "observation": nest(observation),
                # RLDS's last step: an observation, and placeholders.
                "action": np.concatenate([action, np.zeros_like(action[:1])]),
                "reward": np.append(np.asarray(demonstration.reward, np.float32), np.float32(0)),
                # RLDS's step t holds what the action at t brought, as the reward.
                "discount": np.append(~terminal[1:], False).astype(np.float32),
                "is_first": index == 0,
                "is_last": index == steps,
                "is_terminal": terminal,
            },
            **({} if demonstration.agent is None else {"agent": demonstration.agent}),
            "episode_id": demonstration.id,
            "episode_return": np.float32(demonstration.episode_return),
        }

    def _action(self, demonstration: Demonstration) -> np.ndarray:
        item = self.spec.action
        action = self._values(demonstration.id, item, demonstration.action)
        if item.kind is Kind.CONTINUOUS:
            # Compared in float32, so that a range read as 0.1 holds a float32 action of 0.1.
            low, high = np.float32(item.low), np.float32(item.high)
            outside = ((action < low) | (action > high)).reshape(len(action), -1).any(axis=1)
            if outside.any() and not self.options.clip_actions:
                raise self._wrong(
                    demonstration.id, item.key, f"values in [{item.low}, {item.high}]", action[outside][0].tolist()
                )
            self.clipped += int(outside.sum())
            action = np.clip(action, low, high)
        return action

    def _values(self, episode: str, item: ItemSpec, values: np.ndarray) -> Any:
        """[T, ...] in the spec's dtype; of texts, a list of str; of pictures, a list of encoded files."""
        try:
            if item.kind is Kind.TEXT:
                return [as_text(value) for value in values.ravel()]
            if item.kind is Kind.IMAGE:
                height, width, _ = item.shape
                scale = self.options.frame_size_of(item.key) is not None
                return stored_frames(values, (height, width), self.channels, scale=scale)
        except (FrameError, UnicodeDecodeError) as error:
            raise ImportingError(f"task {self.spec.name!r}, episode {episode!r}, {item.key!r}: {error}") from error
        if values.shape[1:] != item.shape:
            raise self._wrong(episode, item.key, f"shape {item.shape}", values.shape[1:])
        with np.errstate(over="ignore"):
            cast = values.astype(item.dtype)
        if item.kind is Kind.CONTINUOUS and (np.isinf(cast) & np.isfinite(values)).any():
            raise self._wrong(episode, item.key, "values that float32 can hold", float(np.abs(values).max()))
        return cast

    def _wrong(self, episode: str, key: str, expected: str, found: Any) -> ImportingError:
        return ImportingError(
            f"task {self.spec.name!r}, episode {episode!r}, {key!r}: expected {expected}, found {found}"
        )


def features(spec: TaskSpec, *, agent: bool = False) -> dict[str, Any]:
    """TFDS features of an imported episode: as recording writes them, but for what only a recorder knows.

    Args:
      spec: the task.
      agent: whether each episode names its source agent.
    """
    return {
        **({"agent": tfds.features.Text()} if agent else {}),
        "steps": tfds.features.Dataset(
            {
                "observation": nest({item.path: _feature(item) for item in spec.observation}),
                "action": feature(spec.action),
                "reward": np.float32,
                "discount": np.float32,
                "is_first": np.bool_,
                "is_last": np.bool_,
                "is_terminal": np.bool_,
            }
        ),
        "episode_id": tfds.features.Text(),
        "episode_return": np.float32,
    }


class EpisodeFiles:
    """Writes encoded episodes to TFDS's files, several times faster than TFDS, which looks at every step by itself.

    Args:
      directory: where to write.
      spec: the task.
      episodes_per_file: shard size.
      agent: whether each episode names its source agent.
    """

    def __init__(self, directory: Path, spec: TaskSpec, *, episodes_per_file: int, agent: bool = False):
        directory.mkdir(parents=True, exist_ok=True)
        self._name, self._directory, self._limit = spec.name.replace(".", "_"), directory, episodes_per_file
        identity = tfds.core.dataset_info.DatasetIdentity(
            name=self._name, version=tfds.core.Version(VERSION), data_dir=str(directory), module_name=""
        )
        self._info = tfds.core.DatasetInfo(
            builder=identity, features=tfds.features.FeaturesDict(features(spec, agent=agent))
        )
        self._info.set_file_format("tfrecord")
        self._open: dict[str, tf.io.TFRecordWriter] = {}
        self._lengths: dict[str, list[int]] = {split: [] for split in SPLITS}
        self._bytes = dict.fromkeys(SPLITS, 0)

    @property
    def counts(self) -> dict[str, int]:
        """Episodes per split, so far."""
        return {split: sum(lengths) for split, lengths in self._lengths.items()}

    def __enter__(self) -> "EpisodeFiles":
        return self

    def __exit__(self, *exception) -> None:
        for writer in self._open.values():
            writer.close()
        infos = [
            tfds.core.SplitInfo(
                name=split, shard_lengths=lengths, num_bytes=self._bytes[split], filename_template=self._template(split)
            )
            for split, lengths in self._lengths.items()
        ]
        self._info.set_splits(tfds.core.SplitDict(infos))
        self._info.write_to_directory(self._directory)

    def write(self, split: str, example: dict[str, Any]) -> None:
        """Appends one episode, as `Encoder.encode` makes them."""
        lengths = self._lengths[split]
        if split not in self._open:
            path = self._template(split).sharded_filepath(shard_index=len(lengths), num_shards=None)
            self._open[split] = tf.io.TFRecordWriter(os.fspath(path))
            lengths.append(0)
        record = serialise(example)
        self._open[split].write(record)
        lengths[-1] += 1
        self._bytes[split] += len(record)
        if lengths[-1] == self._limit:
            self._open.pop(split).close()

    def _template(self, split: str) -> Any:
        return tfds.core.ShardedFileTemplate(
            dataset_name=self._name,
            data_dir=self._directory,
            split=split,
            filetype_suffix="tfrecord",
            template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_INDEX}",
        )


def serialise(example: dict[str, Any]) -> bytes:
    """A `tf.train.Example` with a feature "steps/observation/<key>" and the like for each leaf, flattened."""
    tf_features: dict[str, tf.train.Feature] = {}

    def visit(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                visit(f"{path}/{key}" if path else key, inner)
        elif isinstance(value, list | str):
            values = [value] if isinstance(value, str) else value
            encoded = [item.encode() if isinstance(item, str) else item for item in values]
            tf_features[path] = tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
        elif value.dtype.kind == "f":
            tf_features[path] = tf.train.Feature(float_list=tf.train.FloatList(value=value.ravel().tolist()))
        else:
            integers = value.astype(np.int64).ravel().tolist()
            tf_features[path] = tf.train.Feature(int64_list=tf.train.Int64List(value=integers))

    visit("", example)
    return tf.train.Example(features=tf.train.Features(feature=tf_features)).SerializeToString(deterministic=True)


def texts(spec: TaskSpec, demonstration: Demonstration) -> set[str]:
    """Distinct textual observations of an episode."""
    items = [item for item in spec.observation if item.kind is Kind.TEXT]
    return {as_text(value) for item in items for value in demonstration.observation[item.key].ravel()}


def _feature(item: ItemSpec) -> tfds.features.FeatureConnector:
    if item.kind is Kind.IMAGE:
        # Files keep the encoding they came with, so the feature names none.
        return tfds.features.Image(shape=item.shape, dtype=np.uint8)
    return feature(item)
