"""Validation data of text and question tasks, read in a child process: reading needs TensorFlow, acting must not.

`read` starts the child (`python -m gato_jax.evaluation.validation`), which reads the data layer's own rows and raw
examples and hands them over as one npz file without pickled objects.
"""

import dataclasses
import itertools
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.config import DataConfig
from data_pipelines.config_json import decode, encode
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import FIELDS
from gato_jax.evaluation import children
from gato_jax.evaluation.children import ValidationError

__all__ = ["ValidationError", "ValidationSet", "only_tasks", "read"]


@dataclasses.dataclass(frozen=True)
class ValidationSet:
    """Some of one task's validation split.

    Args:
      batches: rows as in training, [batches, rows, ...] by field.
      texts: some documents (text tasks).
      pictures: uint8 [height, width, 3], in any sizes (question and caption tasks).
      questions, answers: one per picture of a question task.
      references: per picture, all that people wrote: answers, or captions.

    Of interleaved documents there are batches only.
    """

    batches: dict[str, np.ndarray]
    texts: tuple[str, ...] = ()
    pictures: tuple[np.ndarray, ...] = ()
    questions: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    references: tuple[tuple[str, ...], ...] = ()


def read(
    config: DataConfig, tasks: Sequence[str], *, rows: int, questions: int, texts: int
) -> dict[str, ValidationSet]:
    """Validation data of `tasks`, at most so many rows, questions and texts of each.

    Raises:
      ValidationError: with the reason the child gave, such as a task without a validation split.
    """
    if not tasks:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "validation.npz"
        request = {"config": encode(only_tasks(config, tasks)), "tasks": list(tasks), "out": str(path)}
        request |= {"rows": rows, "questions": questions, "texts": texts}
        children.run("gato_jax.evaluation.validation", request, what=f"validation data of {', '.join(tasks)}")
        with np.load(path, allow_pickle=False) as data:
            return {task: _unpack(data, task) for task in tasks}


def only_tasks(config: DataConfig, tasks: Sequence[str]) -> DataConfig:
    """The configuration with these tasks alone, in groups of the same shape: the other tasks are not even opened."""
    mixture = config.mixture
    rows = mixture.rows(config.stream.virtual_shards)
    groups = {
        name: dataclasses.replace(group, tasks=tuple(task for task in group.tasks if task in tasks))
        for name, group in mixture.groups.items()
        if any(task in tasks for task in group.tasks)
    }
    smaller = MixtureConfig(
        weights={task: mixture.weights[task] or 1.0 for task in tasks},
        groups=groups,
        rows_per_step=sum(rows[name] for name in groups),
    )
    return dataclasses.replace(config, mixture=smaller)


def _unpack(data: Any, task: str) -> ValidationSet:
    strings: dict[str, Any] = {
        name: tuple(map(str, data[f"{task}/{name}"])) for name in ("texts", "questions", "answers")
    }
    counts, flat = data[f"{task}/reference_counts"].tolist(), data[f"{task}/references"].tolist()
    ends = list(itertools.accumulate(counts))
    strings["references"] = tuple(tuple(flat[end - count : end]) for end, count in zip(ends, counts, strict=True))
    pictures = tuple(data[f"{task}/pictures/{number}"] for number in range(len(counts)))
    return ValidationSet(
        batches={name: data[f"{task}/batches/{name}"] for name in FIELDS},
        pictures=pictures,
        **strings,
    )


def main() -> None:
    """The child: reads the request from standard input, writes the npz."""
    request = json.loads(sys.stdin.read())
    config = decode(DataConfig, request["config"])
    arrays: dict[str, np.ndarray] = {}
    from data_pipelines.seqio_tasks.group_pipelines import Pipelines

    pipelines = Pipelines.build(config)
    for task in request["tasks"]:
        arrays |= _read_task(config, pipelines, task, request)
    with open(request["out"], "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _read_task(config: DataConfig, pipelines: Any, task: str, request: dict[str, Any]) -> dict[str, np.ndarray]:
    import tensorflow as tf

    from data_pipelines.seqio_tasks.sources import ImageTextDataSource, TextDataSource
    from data_pipelines.stream.validation import validation_batches

    per_batch = config.mixture.rows(config.stream.virtual_shards)[config.mixture.group_of(task)]
    batches = list(validation_batches(config, task, -(-request["rows"] // per_batch), pipelines=pipelines))
    arrays = {f"{task}/batches/{name}": np.stack([batch[name] for batch in batches]) for name in FIELDS}
    recorded = pipelines.recorded[task]
    examples: dict[str, list] = {name: [] for name in ("texts", "questions", "answers", "references", "pictures")}
    if recorded.kind == "text":
        for example in TextDataSource(recorded).get_dataset("validation", shuffle=False).take(request["texts"]):
            examples["texts"].append(example["text"].numpy().decode())
    elif recorded.kind in ("vqa", "captions"):
        dataset = ImageTextDataSource(recorded).get_dataset("validation", shuffle=False).take(request["questions"])
        for example in dataset:
            examples["pictures"].append(tf.io.decode_image(example["image"], channels=3).numpy())
            if recorded.kind == "captions":
                examples["references"].append(_words(example["captions"]))
                continue
            for name in ("question", "answer"):
                examples[f"{name}s"].append(example[name].numpy().decode())
            examples["references"].append(_words(example["answers"] if "answers" in example else [example["answer"]]))
    for name in ("texts", "questions", "answers"):
        arrays[f"{task}/{name}"] = np.asarray(examples[name], np.str_)
    flat = [text for texts in examples["references"] for text in texts]
    arrays[f"{task}/references"] = np.asarray(flat, np.str_)
    arrays[f"{task}/reference_counts"] = np.asarray([len(texts) for texts in examples["references"]], np.int64)
    arrays |= {f"{task}/pictures/{number}": picture for number, picture in enumerate(examples["pictures"])}
    return arrays


def _words(texts: Any) -> list[str]:
    return [text.numpy().decode() for text in texts]


if __name__ == "__main__":
    main()
