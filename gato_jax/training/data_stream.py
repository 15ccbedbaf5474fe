"""The data as training sees it. Nothing here imports TensorFlow before it is needed."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from data_pipelines.schema import Batch
from data_pipelines.storage.recorded_tasks import recorded_worlds
from gato_jax.config import Experiment


class DataStream(Protocol):
    """What training needs of `data_pipelines.stream.stream.Stream`."""

    def __next__(self) -> Mapping[str, Mapping[str, np.ndarray]]: ...

    def position(self) -> dict[str, Any]: ...

    def restore(self, position: dict[str, Any]) -> None: ...

    def set_weights(self, weights: Mapping[str, float]) -> int: ...

    def validation_batches(self, task: str, limit: int) -> list[Batch]: ...

    def close(self) -> None: ...


OpenStream = Callable[[Experiment, int, int], DataStream]
"""(experiment, host, hosts) -> this host's rows of every batch."""


def open_stream(experiment: Experiment, host: int, hosts: int) -> DataStream:
    """The real data. Imports TensorFlow, which is why nothing above does."""
    from data_pipelines.stream.stream import Stream

    return Stream(experiment.data, host=host, hosts=hosts)


def resolve_data(experiment: Experiment) -> Experiment:
    """A named mixture becomes weights over the tasks that are there, and the config says where they are played."""
    if experiment.data.mixture.named:
        # Imports TensorFlow, which must not come before `start_distributed`.
        from data_pipelines.stream import resolve_mixture

        experiment = dataclasses.replace(experiment, data=resolve_mixture.resolve(experiment.data))
    worlds = recorded_worlds(experiment.data.directory, experiment.data.mixture.task_names)
    if not worlds:
        return experiment
    evaluation = dataclasses.replace(experiment.evaluation, worlds={**experiment.evaluation.worlds, **worlds})
    return dataclasses.replace(experiment, evaluation=evaluation)
