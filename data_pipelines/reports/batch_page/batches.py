"""The batch that a page shows, and which of its places are a prompt.

A training batch does not say where a prompt ends. The stream is a pure function of its settings, and `prompt_loss`
changes no draw, so the same step streamed with the other `prompt_loss` differs in the loss on prompts, and only there.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_pipelines.config import DataConfig
from data_pipelines.schema import Batch
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.vocabulary import TokenType

SEARCHED = 100
"""Steps looked through for a row of a task."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """One step of a stream.

    Args:
      config: of the stream.
      step: its number.
      batch: {group: batch}.
      prompts: per group bool [rows, L], the actions of prompts; None where the experiment has no prompts.
      recorded: what the data directory contains, by task.
      realised: share of the rows per task.
      weights: per group, its share in the loss.
      read_whole: tasks with so few examples that every shard reads all of them.
    """

    config: DataConfig
    step: int
    batch: dict[str, Batch]
    prompts: dict[str, np.ndarray] | None
    recorded: Mapping[str, RecordedTask]
    realised: Mapping[str, float]
    weights: Mapping[str, float]
    read_whole: list[str]


def read_step(config: DataConfig, step: int, task: str = "") -> Shown:
    """The batch of one step; with `task`, of the first step from there on that has a row of this task.

    Raises:
      ValueError: no such task, or none of its rows in so many steps; and what `stream.Stream` raises.
    """
    from data_pipelines.stream.stream import Stream  # TensorFlow is needed only here.

    if task and task not in config.mixture.task_names:
        raise ValueError(f"task: expected one of {list(config.mixture.task_names)}, found {task!r}")
    stream = Stream(config, start_step=step)
    try:
        batch = next(stream)
        while task and not _holds(batch, config.mixture.task_names.index(task)):
            if stream.step == step + SEARCHED:
                raise ValueError(f"task {task!r}: no row in steps {step} to {stream.step - 1} of the stream")
            batch = next(stream)
        number = stream.step - 1
        facts = stream.pipelines.recorded, stream.realised_shares, stream.loss_weights, stream.read_whole
    finally:
        stream.close()
    return Shown(config, number, batch, _prompts(config, number, batch), *facts)


def _holds(batch: Mapping[str, Batch], task_id: int) -> bool:
    return any((rows["task_id"] == task_id).any() for rows in batch.values())


def _prompts(config: DataConfig, step: int, batch: Mapping[str, Batch]) -> dict[str, np.ndarray] | None:
    from data_pipelines.stream.stream import Stream

    if not config.stream.prompt_share:
        return None
    other = dataclasses.replace(config.stream, prompt_loss=not config.stream.prompt_loss)
    stream = Stream(dataclasses.replace(config, stream=other), start_step=step)
    try:
        twin = next(stream)
    finally:
        stream.close()
    prompts = {}
    for group, rows in batch.items():
        assert np.array_equal(rows["tokens"], twin[group]["tokens"]), "prompt_loss must not change what is drawn"
        is_action = rows["token_type"] == TokenType.ACTION
        prompts[group] = is_action & (rows["loss_mask"] != twin[group]["loss_mask"])
    return prompts
