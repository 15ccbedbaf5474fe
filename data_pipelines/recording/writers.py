"""Plain examples, such as documents and questions, to TFDS directories. Imports TensorFlow: worker processes only."""

import io
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.spec import ItemSpec, Kind
from data_pipelines.suites.base.bundle import Bundle, Captioned, Question
from data_pipelines.suites.base.suite import Source, Task

VERSION = "1.0.0"
VALIDATION_SHARE = 0.05
"""Of the texts or pictures, held out of training."""


def feature(item: ItemSpec) -> tfds.features.FeatureConnector:
    """The TFDS feature of one item of a task."""
    if item.kind is Kind.TEXT:
        return tfds.features.Text()
    if item.kind is Kind.IMAGE:
        return tfds.features.Image(shape=item.shape, dtype=np.uint8, encoding_format="png")
    return tfds.features.Tensor(shape=item.shape, dtype=np.dtype(item.dtype))


class ExampleWriter:
    """Plain examples, of several splits in any order, to a TFDS data set that `tfds.builder_from_directory` reads.

    Args:
      directory: where to write.
      name: the data set's.
      features: TFDS features of an example.
      splits: names of the splits.
      examples_per_file: shard size.
    """

    def __init__(
        self,
        directory: Path,
        *,
        name: str,
        features: Mapping[str, Any],
        splits: Iterable[str],
        examples_per_file: int = 512,
    ):
        directory.mkdir(parents=True, exist_ok=True)
        identity = tfds.core.dataset_info.DatasetIdentity(
            name=name, version=tfds.core.Version(VERSION), data_dir=str(directory), module_name=""
        )
        info = tfds.core.DatasetInfo(builder=identity, features=tfds.features.FeaturesDict(dict(features)))
        info.set_file_format("tfrecord")
        self.counts = dict.fromkeys(splits, 0)
        self._writer = tfds.core.SequentialWriter(info, examples_per_file)
        self._writer.initialize_splits(list(self.counts))

    def __enter__(self) -> "ExampleWriter":
        return self

    def __exit__(self, *exception) -> None:
        # Closing writes the last shard: data that is not closed is lost.
        self._writer.close_all()

    def write(self, split: str, examples: Sequence[Mapping[str, Any]]) -> None:
        """Appends examples; many at a time, because each call also writes the description of the data set."""
        self._writer.add_examples({split: list(examples)})
        self.counts[split] += len(examples)


def write_examples(
    directory: Path,
    *,
    name: str,
    features: Mapping[str, Any],
    splits: Mapping[str, Iterable[Mapping[str, Any]]],
    examples_per_file: int = 512,
) -> dict[str, int]:
    """Writes whole splits with `ExampleWriter`.

    Returns:
      Number of examples per split.
    """
    with ExampleWriter(
        directory, name=name, features=features, splits=splits, examples_per_file=examples_per_file
    ) as writer:
        for split, examples in splits.items():
            for batch in _batches(examples, examples_per_file):
                writer.write(split, batch)
        return writer.counts


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def write_bundle(task: Task, directory: Path, *, seed: int, count: int) -> dict[str, int]:
    """Writes the texts, captioned pictures or questions of a task without a world.

    Args:
      task: says what they are.
      directory: where to write.
      seed: of their order, of what is held out, and of which are chosen.
      count: pictures or questions to train on at most, and an eighth of that held out where the package has a part of
        its own for that. Texts are always all written.

    Returns:
      Number of examples per split.
    """
    if task.make_examples is None:
        raise ValueError(f"task {task.name!r} has neither a world nor examples (Task.make_examples)")
    bundle = task.make_examples()
    splits = _splits(task, bundle, seed, count)
    return write_examples(
        directory,
        name=task.name.replace(".", "_"),
        features=_FEATURES[task.source](bundle.size),
        splits={split: map(_example, rows) for split, rows in splits.items()},
    )


def _splits(task: Task, bundle: Bundle, seed: int, count: int) -> dict[str, list[Any]]:
    if bundle.validation is not None:
        parts = (("train", bundle.train, count), ("validation", bundle.validation, max(1, count // 8)))
        return {
            split: random.Random(f"{seed} {split}").sample(list(rows), min(most, len(rows)))
            for split, rows, most in parts
        }
    rows = list(bundle.train)
    random.Random(seed).shuffle(rows)
    held_out = max(1, round(VALIDATION_SHARE * len(rows)))
    most = None if task.source is Source.TEXT else count
    return {"train": rows[held_out:][:most], "validation": rows[:held_out]}


def _features_of_pictures(size: tuple[int, int], **texts: Any) -> dict[str, Any]:
    return {"image": tfds.features.Image(shape=(*size, 3), encoding_format="png"), **texts}


_FEATURES: dict[Source, Callable[[tuple[int, int]], dict[str, Any]]] = {
    Source.TEXT: lambda size: {"text": tfds.features.Text()},
    Source.VQA: lambda size: _features_of_pictures(size, question=tfds.features.Text(), answer=tfds.features.Text()),
    Source.CAPTIONS: lambda size: _features_of_pictures(size, captions=tfds.features.Sequence(tfds.features.Text())),
}
"""Size of all pictures -> features of an example."""


def _example(example: str | Captioned | Question) -> dict[str, Any]:
    if isinstance(example, str):
        return {"text": example}
    picture = io.BytesIO(example.picture) if isinstance(example.picture, bytes) else example.picture
    if isinstance(example, Captioned):
        return {"image": picture, "captions": list(example.captions)}
    return {"image": picture, "question": example.question, "answer": example.answer}
