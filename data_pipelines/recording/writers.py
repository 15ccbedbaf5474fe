"""Plain examples, such as documents and questions, to TFDS directories. Imports TensorFlow: worker processes only."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.recording.bundled_text import easy_vqa_questions, python_documents
from data_pipelines.spec import ItemSpec, Kind

VERSION = "1.0.0"
VALIDATION_SHARE = 0.05
"""Of the documents, held out of training."""


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


def write_python_docs(directory: Path, *, seed: int) -> dict[str, int]:
    """All documentation topics as features {"text"}, one in twenty held out as "validation"."""
    documents = python_documents()
    random.Random(seed).shuffle(documents)
    held_out = max(1, round(VALIDATION_SHARE * len(documents)))
    return write_examples(
        directory,
        name="text_python_docs",
        features={"text": tfds.features.Text()},
        splits={
            "train": ({"text": text} for text in documents[held_out:]),
            "validation": ({"text": text} for text in documents[:held_out]),
        },
    )


def write_easy_vqa(directory: Path, *, seed: int, questions: int) -> dict[str, int]:
    """Questions about pictures as features {"image", "question", "answer"}.

    Args:
      directory: where to write.
      seed: chooses the questions.
      questions: how many to train on, from easy-vqa's training questions; an eighth of that for "validation", from its
        test questions, whose pictures are not those of training.
    """
    chosen = {}
    for split, ours, count in (("train", "train", questions), ("test", "validation", max(1, questions // 8))):
        rows = easy_vqa_questions(split)
        chosen[ours] = random.Random(f"{seed} {ours}").sample(rows, min(count, len(rows)))
    return write_examples(
        directory,
        name="vqa_easy_vqa",
        features={
            "image": tfds.features.Image(shape=(64, 64, 3), encoding_format="png"),
            "question": tfds.features.Text(),
            "answer": tfds.features.Text(),
        },
        splits={
            split: ({"image": path, "question": text, "answer": answer} for text, answer, path in rows)
            for split, rows in chosen.items()
        },
    )
