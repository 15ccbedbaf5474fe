"""Validation data of text and question tasks, read in a child process: reading needs TensorFlow, acting must not.

`read` starts the child (`python -m gato_jax.evaluation.validation`), which reads the data layer's own rows and raw
examples and hands them over as one npz file without pickled objects.
"""

import dataclasses
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
      pictures: uint8 [height, width, 3], in any sizes (question tasks).
      questions, answers: one per picture.

    Of captions and of interleaved documents there are batches only.
    """

    batches: dict[str, np.ndarray]
    texts: tuple[str, ...] = ()
    pictures: tuple[np.ndarray, ...] = ()
    questions: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


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
    strings = {name: tuple(map(str, data[f"{task}/{name}"])) for name in ("texts", "questions", "answers")}
    pictures = tuple(data[f"{task}/pictures/{number}"] for number in range(len(strings["questions"])))
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
    examples: dict[str, list] = {"texts": [], "questions": [], "answers": [], "pictures": []}
    if recorded.kind == "text":
        for example in TextDataSource(recorded).get_dataset("validation", shuffle=False).take(request["texts"]):
            examples["texts"].append(example["text"].numpy().decode())
    elif recorded.kind == "vqa":
        dataset = ImageTextDataSource(recorded).get_dataset("validation", shuffle=False).take(request["questions"])
        for example in dataset:
            examples["pictures"].append(tf.io.decode_image(example["image"], channels=3).numpy())
            examples["questions"].append(example["question"].numpy().decode())
            examples["answers"].append(example["answer"].numpy().decode())
    for name in ("texts", "questions", "answers"):
        arrays[f"{task}/{name}"] = np.asarray(examples[name], np.str_)
    arrays |= {f"{task}/pictures/{number}": picture for number, picture in enumerate(examples["pictures"])}
    return arrays


if __name__ == "__main__":
    main()
