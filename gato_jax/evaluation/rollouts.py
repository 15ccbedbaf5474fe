"""Episodes of one policy, in N environments at a time.

The environments step in lockstep, so that each step is one call of the model; an environment that has finished keeps
its place in the batch (the compiled shapes stay) and is not stepped any more. When all have finished, the next N
episodes begin in the same environments. The executed actions are kept: seed and actions replay an episode in another
process, where it can be rendered.
"""

import dataclasses
import io
import json
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from data_pipelines import atomic_files
from data_pipelines.config_json import decode, encode
from data_pipelines.errors import Failures, TimestepError, describe
from data_pipelines.spec import TaskSpec, World
from data_pipelines.suites.base.environment import Environment

Progress = Callable[[int, int, int], None]
"""Called as (step, finished episodes, episodes) now and then."""

PROGRESS_EVERY = 25


class Actor(Protocol):
    """What rolls out: a `Policy`, or a baseline."""

    spec: TaskSpec

    @property
    def failures(self) -> Failures:
        """Environments of the batch that cannot be acted in any more."""

    @property
    def manner(self) -> str:
        """How it chooses: "argmax", "sample", or the baseline's name."""

    @property
    def notes(self) -> Mapping[str, Any]:
        """What else is worth knowing of the episodes, for JSON."""

    def reset(self, seeds: Sequence[int]) -> None:
        """Starts new episodes."""

    def act(self, observations: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """An action for each environment. Raises `TimestepError` when all have failed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rollout:
    """Episodes of one task.

    Args:
      task: name.
      decode: "argmax" or "sample"; the name of a baseline.
      seeds: `reset_to` seed of each episode that was played to its end.
      returns, lengths: undiscounted return and number of steps of each episode.
      success: of each episode, empty where the task has no notion of it.
      actions: executed actions of each episode, [length, ...].
      rewards: of each episode, [length].
      seconds: wall time, compiling included.
      failures: seed -> why an episode could not be played to its end; such episodes are in none of the lists above.
      notes: what else is worth knowing, such as the prompts.
      world: where the task is played, if that is outside this package.
    """

    task: str
    decode: str
    seeds: Sequence[int]
    returns: Sequence[float]
    lengths: Sequence[int]
    success: Sequence[bool]
    actions: Sequence[np.ndarray]
    rewards: Sequence[np.ndarray]
    seconds: float
    failures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    world: World | None = None

    def save(self, path: Path, *, settings: dict[str, Any]) -> None:
        """Writes one npz (arrays and JSON, no pickle), whole or not at all."""
        meta = {
            "settings": settings,
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
        }
        del meta["actions"], meta["rewards"]
        meta["world"] = encode(self.world)
        arrays = {f"actions_{i}": action for i, action in enumerate(self.actions)}
        arrays |= {f"rewards_{i}": reward for i, reward in enumerate(self.rewards)}
        buffer = io.BytesIO()
        arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        atomic_files.write_bytes(path, buffer.getvalue())


def load_rollout(path: Path) -> tuple[Rollout, dict[str, Any]]:
    """A saved rollout and the settings it was made with. Raises `ValueError` for any other file."""
    try:
        with np.load(path, allow_pickle=False) as data:
            meta = json.loads(data["meta"].tobytes())
            episodes = range(len(meta["seeds"]))
            world = meta.pop("world", None)  # Absent in what earlier versions wrote.
            rollout = Rollout(
                **{key: value for key, value in meta.items() if key != "settings"},
                world=None if world is None else decode(World, world, path="world"),
                actions=[data[f"actions_{i}"] for i in episodes],
                rewards=[data[f"rewards_{i}"] for i in episodes],
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a saved rollout: {error}") from error
    return rollout, meta["settings"]


@dataclasses.dataclass
class _Episode:
    """One episode while it is played."""

    seed: int
    actions: list[np.ndarray] = dataclasses.field(default_factory=list)
    rewards: list[float] = dataclasses.field(default_factory=list)
    success: bool | None = None
    failure: TimestepError | None = None

    def fail(self, task: str, key: str, expected: str, found: str) -> None:
        """Says what is wrong at the current timestep."""
        where = f"of seed {self.seed}"
        self.failure = TimestepError(describe(task, key, expected, found, episode=where, timestep=len(self.rewards)))


def roll_out(
    policy: Actor,
    environments: Sequence[Environment],
    seeds: Sequence[int],
    *,
    max_steps: int | None = None,
    progress: Progress | None = None,
) -> Rollout:
    """One episode for each seed, from `reset_to(seed)` to its end or to `max_steps`.

    An episode in which the policy cannot act, whose simulator gives up or whose reward is not finite, ends there as
    failed; the others go on.

    Args:
      policy: acts.
      environments: how many episodes are played at a time; what an episode shows does not depend on it.
      seeds: of the episodes.
      max_steps: the task's own limit when None.
      progress: called now and then.

    Raises:
      ValueError: no seed, no environment, or an environment of another task than the policy's.
      TimestepError: all episodes failed; the first one's reason.
    """
    if not environments or not seeds:
        raise ValueError(f"expected environments and seeds, found {len(environments)} and {len(seeds)}")
    for environment in environments:
        if environment.spec != policy.spec:
            raise ValueError(
                f"the policy acts in {policy.spec.name!r}, found an environment of {environment.spec.name!r}"
            )
    started = time.monotonic()
    limit = policy.spec.max_episode_steps if max_steps is None else max_steps
    episodes: list[_Episode] = []
    for first in range(0, len(seeds), len(environments)):
        group = [_Episode(int(seed)) for seed in seeds[first : first + len(environments)]]
        past = limit * first // len(environments)

        def told(step: int, over: int, past: int = past, first: int = first) -> None:
            if progress is not None:
                progress(past + step, first + over, len(seeds))

        _lockstep(policy, environments[: len(seeds)], group, limit=limit, progress=told)
        episodes += group
    return _rollout(policy, episodes, time.monotonic() - started)


def _lockstep(
    policy: Actor,
    environments: Sequence[Environment],
    episodes: Sequence[_Episode],
    *,
    limit: int,
    progress: Callable[[int, int], None],
) -> None:
    """Plays at most as many episodes as there are environments. Rows of the batch that are left repeat the first."""
    observations = [
        environment.reset_to(episode.seed).observation
        for environment, episode in zip(environments, episodes, strict=False)
    ]
    unused = len(environments) - len(episodes)
    policy.reset([episode.seed for episode in (*episodes, *[episodes[0]] * unused)])
    running = list(range(len(episodes)))
    for step in range(limit):
        try:
            chosen = policy.act([*observations, *[observations[0]] * unused])
        except TimestepError:
            if policy.failures.survivors:
                raise
        for i in running:
            if i in policy.failures:
                episodes[i].failure = policy.failures[i]
                continue
            try:
                timestep = environments[i].step(chosen[i])
            except RuntimeError as error:  # How simulators say that a state has diverged.
                actual = f"{type(error).__name__}: {error}"
                episodes[i].fail(policy.spec.name, "action", "a step of the simulator", actual)
                continue
            observations[i] = timestep.observation
            episodes[i].actions.append(chosen[i])
            episodes[i].success = environments[i].success
            reward = float(timestep.reward)
            if not np.isfinite(reward):
                episodes[i].fail(policy.spec.name, "reward", "a finite number", str(reward))
            episodes[i].rewards.append(reward)
            if timestep.last():
                running = [j for j in running if j != i]
        running = [i for i in running if episodes[i].failure is None]
        if step % PROGRESS_EVERY == 0 or not running:
            progress(step + 1, len(episodes) - len(running))
        if not running:
            break


def _rollout(policy: Actor, episodes: Sequence[_Episode], seconds: float) -> Rollout:
    whole = [episode for episode in episodes if episode.failure is None]
    failed = [episode for episode in episodes if episode.failure is not None]
    if not whole:
        raise TimestepError(f"all {len(failed)} episodes failed, the first one so: {failed[0].failure}")
    success = [episode.success for episode in whole]
    return Rollout(
        task=policy.spec.name,
        decode=policy.manner,
        seeds=[episode.seed for episode in whole],
        returns=[float(np.sum(episode.rewards)) for episode in whole],
        lengths=[len(episode.rewards) for episode in whole],
        success=[] if None in success else [bool(value) for value in success],
        actions=[np.stack(episode.actions) for episode in whole],
        rewards=[np.asarray(episode.rewards, np.float32) for episode in whole],
        seconds=seconds,
        failures={str(episode.seed): str(episode.failure) for episode in failed},
        notes=policy.notes,
        world=policy.spec.world,
    )
