"""Weights of another run that a run begins with, as training sees them. What reads them is on a floor above."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import jax

from data_pipelines.atomic_files import write_json
from gato_jax.config import Experiment
from gato_jax.training.step.state import State

RECORD = "initial_weights.json"
"""In the run directory: what was read, what began anew, and what was not used."""


class InitialWeights(Protocol):
    """What training needs of `gato_jax.weights.initial.InitialWeights`."""

    def lines(self) -> list[str]: ...

    def record(self) -> dict[str, Any]: ...

    def place(self, fresh: Mapping[str, Any]) -> tuple[dict[str, Any], str]: ...


OpenWeights = Callable[[Experiment], InitialWeights]
"""The weights of `train.init_from`, compared with the experiment."""


def nothing_opens_weights(experiment: Experiment) -> InitialWeights:
    """Where nobody said how. Raises `ValueError`."""
    raise ValueError(
        f"train.init_from is {experiment.train.init_from!r}: call train(..., open_weights=open_initial_weights) of "
        "gato_jax.weights.initial, as `gato train` does"
    )


def with_whole_path(experiment: Experiment) -> Experiment:
    """A run is known by where its weights come from, wherever it is called from."""
    train = experiment.train
    if train.init_from is None:
        return experiment
    path = os.path.abspath(train.init_from)
    return dataclasses.replace(experiment, train=dataclasses.replace(train, init_from=path))


def with_digest_of(experiment: Experiment, meta: Mapping[str, Any] | None) -> Experiment:
    """The digest that a run's checkpoint has, where the experiment does not ask for one of its own."""
    train = experiment.train
    digest = None if meta is None else meta["experiment"]["train"].get("init_digest")
    if train.init_from is None or train.init_digest is not None or digest is None:
        return experiment
    return dataclasses.replace(experiment, train=dataclasses.replace(train, init_digest=digest))


def begin_with(initial: InitialWeights, state: State, experiment: Experiment, out: Path) -> tuple[State, Experiment]:
    """Fresh state with these weights, and the experiment with their digest; writes down what was read.

    Raises:
      ValueError: the experiment names other weights by their digest.
    """
    parameters, digest = initial.place(state["parameters"])
    train = experiment.train
    if train.init_digest not in (None, digest):
        raise ValueError(
            f"train.init_digest: expected the weights {train.init_digest}, found {digest} in {train.init_from}"
        )
    if jax.process_index() == 0:
        write_json(out / RECORD, {"digest": digest, **initial.record()})
    experiment = dataclasses.replace(experiment, train=dataclasses.replace(train, init_digest=digest))
    return {**state, "parameters": parameters}, experiment
