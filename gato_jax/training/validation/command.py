"""`gato evaluate-loss`: loss and accuracy of a run's weights on the validation split of each task."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gato_jax.training.checkpoints.checkpoint import load_params
from gato_jax.training.validation.loss import evaluate_loss


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Losses by task: {"loss": nats per target, "accuracy", "targets"}; and why other tasks have none."""

    run: Path
    tasks: dict[str, dict[str, float]]
    without: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        return {"run": str(self.run), "tasks": self.tasks, "without": self.without}

    def table(self) -> str:
        width = max(map(len, [*self.tasks, *self.without, "task"]))
        lines = [f"{'task':<{width}}      loss  accuracy   targets"]
        for task, values in self.tasks.items():
            lines.append(f"{task:<{width}}  {values['loss']:8.4f}  {values['accuracy']:8.1%}  {values['targets']:8,}")
        return "\n".join([*lines, *(f"{task:<{width}}  {reason}" for task, reason in self.without.items())])


def evaluate_run(run: Path, *, tasks: Sequence[str] = (), rows: int = 64, data: Path | None = None) -> HeldOut:
    """Losses of a run's latest checkpoint, or of a checkpoint directory, on rows that were held out.

    Args:
      tasks: only these; all of the mixture if empty.
      rows: at most so many of each task, rounded up to whole batches.
      data: data directory; the run's own if None.

    Raises:
      CheckpointError: no checkpoint, or a damaged one.
      ValueError: a task that the run does not have, fewer than one row, or no task with a validation split.
    """
    if rows < 1:
        raise ValueError(f"rows must be positive, found {rows}")
    experiment, parameters = load_params(run)
    mixture = experiment.data.mixture
    if unknown := sorted(set(tasks) - set(mixture.task_names)):
        raise ValueError(f"tasks: expected some of {', '.join(mixture.task_names)}, found {', '.join(unknown)}")
    if data is not None:
        experiment = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, directory=str(data)))
    from data_pipelines.seqio_tasks.group_pipelines import Pipelines
    from data_pipelines.stream.validation import validation_batches

    pipelines = Pipelines.build(experiment.data)
    per_batch = mixture.rows(experiment.data.stream.virtual_shards)
    by_task, without = {}, {}
    for task in tasks or mixture.task_names:
        limit = -(-rows // per_batch[mixture.group_of(task)])
        try:
            batches = list(validation_batches(experiment.data, task, limit, pipelines=pipelines))
        except ValueError as error:  # how a task without a validation split says so
            without[task] = str(error)
            continue
        by_task[task] = evaluate_loss(experiment, parameters, task, batches)
    if not by_task:
        raise ValueError("no task has a validation split: " + "; ".join(without.values()))
    return HeldOut(Path(run), by_task, without)
