"""Prompts of an evaluation: demonstrations of the task stand before every episode, as in training (Gato, section 2.5).

Each episode has a demonstration of its own, drawn by the episode's seed, so that it does not depend on how many are
played at a time. What is shown is the demonstration's first timesteps, as many as a prompt had in training.
"""

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.errors import Failures
from data_pipelines.storage.recorded_tasks import DataError, read_task
from gato_jax.agent.policy import Policy
from gato_jax.evaluation import demonstrations
from gato_jax.evaluation.demonstrations import Demonstrations, Request
from gato_jax.weights.weights import Weights

AUTO, NONE = "auto", "none"

MOST = 100
"""Demonstrations that are read of a task, at most: more episodes share them, and memory does not grow."""


@dataclasses.dataclass(frozen=True)
class Prompts:
    """What is shown before the episodes of an evaluation.

    Attributes:
      directory: of the demonstrations; "" = no prompts.
      about: for people: where they come from, or why there are none.
      requests: by task, what is read.
      settings: by task, what has to be equal for a rollout to be used again.
      missing: by task, why it has none although others have.
    """

    directory: str
    about: str
    requests: Mapping[str, Request] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    missing: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def read(self, tasks: Sequence[str], out: Path) -> None:
        """Writes the demonstrations of these tasks into a directory, in a child process."""
        demonstrations.read(self.directory, {task: self.requests[task] for task in tasks if task in self.requests}, out)


def plan(weights: Weights, tasks: Sequence[str], option: str, *, data: str, episodes: int) -> Prompts:
    """Which prompts an evaluation shows. Reads no records.

    Args:
      weights: whose experiment says how long prompts were in training, and whether there were any.
      tasks: control tasks.
      option: "auto" (demonstrations in `data`, when the run trained with prompts), "none", or a data directory.
      data: the evaluation's data directory.
      episodes: of each task.

    Raises:
      DataError: a directory that was named holds no demonstrations of a task.
    """
    share = weights.experiment.data.stream.prompt_share
    if option == NONE:
        return Prompts("", "none")
    if option == AUTO and not share:
        return Prompts("", "none, as in training")
    directory = data if option == AUTO else option
    seed = weights.experiment.evaluation.seed
    requests, settings, missing = {}, {}, {}
    for task in tasks:
        try:
            recorded = read_task(directory, task)
        except DataError as error:
            if option != AUTO:
                raise
            missing[task] = str(error)
            continue
        if recorded.spec is None:
            raise DataError(f"task {task!r} in {directory}: expected a control task, found {recorded.kind}")
        first = Policy(weights, recorded.spec).prompt_timesteps
        if not first:
            missing[task] = "the agent's window leaves no room for one"
            continue
        split = demonstrations.split_of(recorded)
        requests[task] = Request(split, min(episodes, MOST), timesteps=10**9, first=first, seed=seed)
        choice = {"timesteps": first, "split": split, "seed": seed}
        settings[task] = {**choice, "contents": demonstrations.contents(recorded, split)}
    if not requests:
        reasons = sorted(set(missing.values()))
        return Prompts("", f"none: {reasons[0]}" if reasons else "none", missing=missing)
    return Prompts(directory, f"the first timesteps of recorded episodes in {directory}", requests, settings, missing)


def prompted(policy: Policy, directory: Path, settings: Mapping[str, Any]) -> "PromptedPolicy":
    """The policy behind the demonstrations that `Prompts.read` wrote into a directory.

    Raises:
      FileNotFoundError: there are none of its task.
    """
    path = directory / f"{policy.spec.name}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected prompts of task {policy.spec.name!r}, found none")
    return PromptedPolicy(policy, demonstrations.load(path), split=settings["split"])


class PromptedPolicy:
    """A policy whose every episode begins behind a demonstration.

    Args:
      policy: acts.
      shown: the demonstrations that there are.
      split: of the data that they are from.
    """

    def __init__(self, policy: Policy, shown: Demonstrations, *, split: str):
        self._policy, self._shown, self._split = policy, shown, split
        self._names: dict[str, str] = {}
        self.spec, self.manner = policy.spec, policy.manner

    @property
    def failures(self) -> Failures:
        return self._policy.failures

    @property
    def notes(self) -> dict[str, Any]:
        """What was shown: the number of timesteps, the split, and for each seed the file and record."""
        return {"timesteps": int(self._shown.lengths[0]), "split": self._split, "episodes": self._names}

    def reset(self, seeds: Sequence[int]) -> None:
        """Starts new episodes, each behind the demonstration that its seed draws."""
        chosen = [self._draw(int(seed)) for seed in seeds]
        self._names |= {str(int(seed)): self._shown.names[index] for seed, index in zip(seeds, chosen, strict=True)}
        self._policy.reset(seeds, prompts=[self._shown.episode(index) for index in chosen])

    def act(self, observations: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """As `Policy.act`."""
        return self._policy.act(observations)

    def _draw(self, seed: int) -> int:
        key = [seed, zlib.crc32(self.spec.name.encode())]
        return int(np.random.default_rng(key).integers(len(self._shown.lengths)))
