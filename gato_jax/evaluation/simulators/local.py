"""Simulators of one task, addressed by row; those of this process."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import dm_env
import numpy as np

from data_pipelines.spec import TaskSpec
from data_pipelines.suites.base.environment import Environment

Observation = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Step:
    """What came of an action.

    Args:
      timestep: None where the simulator gave up.
      success: whether the episode has reached its goal now; None where the task has no notion of that.
      error: why the simulator gave up.
    """

    timestep: dm_env.TimeStep | None
    success: bool | None = None
    error: str = ""


class Simulators(Protocol):
    """Some simulators of one task; rows are their places."""

    @property
    def spec(self) -> TaskSpec:
        """The task."""

    def __len__(self) -> int:
        """How many there are."""

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> list[Observation]:
        """Starts an episode in each of these rows; returns their first observations."""

    def step(self, rows: Sequence[int], actions: Sequence[np.ndarray]) -> list[Step]:
        """Executes an action in each of these rows."""

    def close(self) -> None:
        """Ends them."""


class Local:
    """Simulators of this process, stepped one after the other.

    Args:
      environments: of one task, one or more.

    Raises:
      ValueError: none, or of several tasks.
    """

    def __init__(self, environments: Sequence[Environment]):
        if not environments:
            raise ValueError("expected environments of a task, found none")
        self.spec = environments[0].spec
        for environment in environments:
            if environment.spec != self.spec:
                raise ValueError(f"expected environments of {self.spec.name!r}, found one of {environment.spec.name!r}")
        self._environments = environments

    def __len__(self) -> int:
        return len(self._environments)

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> list[Observation]:
        return [self._environments[row].reset_to(int(seed)).observation for row, seed in zip(rows, seeds, strict=True)]

    def step(self, rows: Sequence[int], actions: Sequence[np.ndarray]) -> list[Step]:
        return [stepped(self._environments[row], action) for row, action in zip(rows, actions, strict=True)]

    def close(self) -> None:
        for environment in self._environments:
            environment.close()


def stepped(environment: Environment, action: np.ndarray) -> Step:
    """Executes an action. `RuntimeError` is how simulators say that a state has diverged."""
    try:
        timestep = environment.step(action)
    except RuntimeError as error:
        return Step(None, error=f"{type(error).__name__}: {error}")
    return Step(timestep, environment.success)
