"""Validation inside the loop: the held-out rows are read once and kept."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from data_pipelines.schema import Batch
from gato_jax.config import Experiment
from gato_jax.training.step.spec import StepSpec, place_rows
from gato_jax.training.validation.loss import make_evaluation, summarise


class HeldOutStream(Protocol):
    """Where held-out rows come from."""

    def validation_batches(self, task: str, limit: int) -> list[Batch]:
        """At most `limit` batches of a task; raises `ValueError` where it has no validation split."""
        ...


class Validation:
    """Validation losses of the tasks that have a validation split, every `train.evaluate_every` steps."""

    def __init__(self, experiment: Experiment, spec: StepSpec, mesh: Mesh, batches: dict[str, list[Batch]]):
        self._every, self._spec, self._mesh, self._batches = experiment.train.evaluate_every, spec, mesh, batches
        mixture = experiment.data.mixture
        self._group = {task: mixture.group_of(task) for task in batches}
        self._evaluate = {name: make_evaluation(spec, spec.groups[name], mesh) for name in set(self._group.values())}

    @classmethod
    def build(cls, experiment: Experiment, spec: StepSpec, mesh: Mesh, stream: HeldOutStream) -> "Validation | None":
        """Reads the rows from `stream`; None where `train.evaluate_every` is 0.

        Raises:
          ValueError: no task of the mixture has a validation split.
        """
        if not experiment.train.evaluate_every:
            return None
        batches, reasons = {}, []
        for task in experiment.data.mixture.task_names:
            rows = spec.rows[experiment.data.mixture.group_of(task)]
            limit = -(-experiment.train.evaluate_rows // rows)
            try:
                batches[task] = [_local(batch) for batch in stream.validation_batches(task, limit)]
            except ValueError as error:  # how a task without a validation split says so
                reasons.append(str(error))
        if not batches:
            raise ValueError("train.evaluate_every is set, but no task has a validation split: " + "; ".join(reasons))
        return cls(experiment, spec, mesh, batches)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those that have a validation split."""
        return tuple(self._batches)

    def due(self, step: int, steps: int) -> bool:
        """Every `train.evaluate_every` steps after the first, and at the end."""
        return step == steps or (step > 0 and step % self._every == 0)

    def run(self, parameters: Any, *, stop: Callable[[], bool]) -> dict[str, dict[str, float]] | None:
        """{task: {"loss", "accuracy", "targets"}}; None where a signal stopped it half-way."""
        results = {}
        for task, batches in self._batches.items():
            name = self._group[task]
            group, rows, sums = self._spec.groups[name], self._spec.rows[name], []
            for batch in batches:
                if stop():
                    return None
                placed = place_rows(self._mesh, group, batch, rows)
                sums.append(jax.device_get(self._evaluate[name](parameters, placed)))
            results[task] = summarise(task, sums)
        return results


def _local(batch: Batch) -> Batch:
    """This host's rows of a batch that every host read whole."""
    host, hosts = jax.process_index(), jax.process_count()
    return {name: np.array_split(value, hosts)[host] for name, value in batch.items()}
