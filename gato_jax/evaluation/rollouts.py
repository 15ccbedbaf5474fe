"""Playing episodes of one policy, in N environments at a time.

The environments step in lockstep, so that each step is one call of the model; an environment that has finished keeps
its place in the batch (the compiled shapes stay) and is not stepped any more. When all have finished, the next N
episodes begin in the same environments. The executed actions are kept: seed and actions replay an episode in another
process, where it can be rendered.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import dm_env
import numpy as np

from data_pipelines.errors import Failures, TimestepError, describe
from data_pipelines.spec import TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import Expert
from gato_jax.evaluation.rollout_files import Rollout, load_rollout, merge, parts_of, saved_part
from gato_jax.evaluation.simulators.local import Local, Simulators, Step, stepped

__all__ = ["Actor", "Progress", "Rollout", "load_rollout", "play_alone", "roll_out", "roll_out_to"]

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


@dataclasses.dataclass
class _Episode:
    """One episode while it is played."""

    seed: int
    actions: list[np.ndarray] = dataclasses.field(default_factory=list)
    rewards: list[float] = dataclasses.field(default_factory=list)
    success: bool | None = None
    ever: bool = False
    ended: bool = False
    failure: TimestepError | None = None

    def fail(self, task: str, key: str, expected: str, found: str) -> None:
        """Says what is wrong at the current timestep."""
        where = f"of seed {self.seed}"
        self.failure = TimestepError(describe(task, key, expected, found, episode=where, timestep=len(self.rewards)))

    def heed(self, task: str, action: np.ndarray, step: Step) -> dm_env.TimeStep | None:
        """Takes in what came of an action; None where the simulator gave up, which has failed the episode.

        Success is what the world says at that step: an episode that is cut by a limit is none for that.
        """
        timestep = step.timestep
        if timestep is None:
            self.fail(task, "action", "a step of the simulator", step.error)
            return None
        self.actions.append(action)
        self.success = step.success
        self.ever |= bool(self.success)
        reward = float(timestep.reward)
        if not np.isfinite(reward):
            self.fail(task, "reward", "a finite number", str(reward))
        self.rewards.append(reward)
        # A task that ends an episode leaves nothing to come (discount 0); a limit of steps leaves it as it was.
        self.ended = timestep.last() and not timestep.discount
        return timestep


def roll_out(
    policy: Actor,
    environments: Sequence[Environment] | Simulators,
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
      environments: or simulators: how many episodes are played at a time; what an episode shows does not depend on it.
      seeds: of the episodes.
      max_steps: the task's own limit when None.
      progress: called now and then.

    Raises:
      ValueError: no seed, no environment, or an environment of another task than the policy's.
      TimestepError: all episodes failed; the first one's reason.
    """
    started = time.monotonic()
    groups = _groups(policy, environments, seeds, max_steps, progress)
    episodes = [episode for group in groups for episode in group]
    _check_some(episodes)
    return _rollout(policy, episodes, time.monotonic() - started)


def roll_out_to(
    path: Path,
    policy: Actor,
    environments: Sequence[Environment] | Simulators,
    seeds: Sequence[int],
    *,
    settings: Mapping[str, Any],
    progress: Progress | None = None,
) -> Rollout:
    """The same into a file, group by group: groups that an interrupted call saved with these settings are kept.

    Returns:
      The rollout, without actions and rewards.

    Raises:
      ValueError, TimestepError: as `roll_out`.
    """
    size = len(environments)
    firsts = [int(seed) for seed in seeds[::size]]
    waiting = [i for i, first in enumerate(firsts) if not saved_part(path, first, settings)]
    left = [seed for i in waiting for seed in seeds[i * size : (i + 1) * size]]
    started, told = time.monotonic(), _ahead(progress, len(seeds) - len(left), len(seeds), policy.spec, size)
    if left:
        for i, episodes in zip(waiting, _groups(policy, environments, left, None, told), strict=True):
            rollout = _rollout(policy, episodes, time.monotonic() - started)
            rollout.save(parts_of(path) / f"{firsts[i]}.npz", settings=settings)
            started = time.monotonic()
    groups = [load_rollout(parts_of(path) / f"{first}.npz", arrays=False)[0] for first in firsts]
    if not any(group.seeds for group in groups):
        failures = {seed: reason for group in groups for seed, reason in group.failures.items()}
        raise TimestepError(_all_failed(list(failures.values())))
    return merge(path, firsts, settings=settings)


def _ahead(progress: Progress | None, done: int, count: int, spec: TaskSpec, size: int) -> Progress | None:
    """Progress that counts the episodes of groups that were there before."""
    if progress is None or not done:
        return progress
    past = spec.max_episode_steps * done // size
    return lambda step, finished, _: progress(past + step, done + finished, count)


def play_alone(
    expert: Expert, environment: Environment, seeds: Sequence[int], *, name: str, progress: Progress | None = None
) -> Rollout:
    """Episodes of a policy that sees the simulator itself, one after the other: `roll_out` for an `Expert`.

    Args:
      expert: acts; `reset(environment, seed)` and `act(timestep)`.
      environment: of the task.
      seeds: of the episodes.
      name: of the policy.
      progress: called after every episode.

    Raises:
      TimestepError: all episodes failed.
    """
    started, episodes = time.monotonic(), []
    for seed in seeds:
        episode = _Episode(int(seed))
        timestep: dm_env.TimeStep | None = environment.reset_to(episode.seed)
        expert.reset(environment, episode.seed)
        for _ in range(environment.spec.max_episode_steps):
            assert timestep is not None
            try:
                action = expert.act(timestep)
            except RuntimeError as error:
                episode.fail(environment.spec.name, "action", "an action", f"{type(error).__name__}: {error}")
                break
            action = np.asarray(action, environment.spec.action.dtype)
            timestep = episode.heed(environment.spec.name, action, stepped(environment, action))
            if timestep is None or episode.failure is not None or timestep.last():
                break
        episodes.append(episode)
        if progress is not None:
            progress(len(episodes) * environment.spec.max_episode_steps, len(episodes), len(seeds))
    _check_some(episodes)
    return _rollout(_Alone(environment.spec, name), episodes, time.monotonic() - started)


@dataclasses.dataclass(frozen=True)
class _Alone:
    spec: TaskSpec
    manner: str
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _groups(
    policy: Actor,
    environments: Sequence[Environment] | Simulators,
    seeds: Sequence[int],
    max_steps: int | None,
    progress: Progress | None,
) -> Iterator[list[_Episode]]:
    """Episodes, as many at a time as there are environments."""
    if not len(environments) or not seeds:
        raise ValueError(f"expected environments and seeds, found {len(environments)} and {len(seeds)}")
    simulators = Local(environments) if isinstance(environments, Sequence) else environments
    if simulators.spec != policy.spec:
        raise ValueError(f"the policy acts in {policy.spec.name!r}, found an environment of {simulators.spec.name!r}")
    count = min(len(simulators), len(seeds))
    limit = policy.spec.max_episode_steps if max_steps is None else max_steps
    for first in range(0, len(seeds), count):
        group = [_Episode(int(seed)) for seed in seeds[first : first + count]]
        past = limit * first // count

        def told(step: int, over: int, past: int = past, first: int = first) -> None:
            if progress is not None:
                progress(past + step, first + over, len(seeds))

        _lockstep(policy, simulators, group, rows=count, limit=limit, progress=told)
        yield group


def _lockstep(
    policy: Actor,
    simulators: Simulators,
    episodes: Sequence[_Episode],
    *,
    rows: int,
    limit: int,
    progress: Callable[[int, int], None],
) -> None:
    """Plays at most as many episodes as the batch has rows. Rows that are left repeat the first."""
    observations = simulators.reset(range(len(episodes)), [episode.seed for episode in episodes])
    unused = rows - len(episodes)
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
        running = [i for i in running if episodes[i].failure is None]
        for i, result in zip(running, simulators.step(running, [chosen[i] for i in running]), strict=True):
            timestep = episodes[i].heed(policy.spec.name, chosen[i], result)
            if timestep is None:
                continue
            observations[i] = timestep.observation
            if timestep.last():
                running = [j for j in running if j != i]
        running = [i for i in running if episodes[i].failure is None]
        if step % PROGRESS_EVERY == 0 or not running:
            progress(step + 1, len(episodes) - len(running))
        if not running:
            break


def _rollout(policy: "Actor | _Alone", episodes: Sequence[_Episode], seconds: float) -> Rollout:
    whole = [episode for episode in episodes if episode.failure is None]
    failed = [episode for episode in episodes if episode.failure is not None]
    success = [episode.success for episode in whole]
    told = None not in success
    return Rollout(
        task=policy.spec.name,
        decode=policy.manner,
        seeds=[episode.seed for episode in whole],
        returns=[float(np.sum(episode.rewards)) for episode in whole],
        lengths=[len(episode.rewards) for episode in whole],
        success=[bool(value) for value in success] if told else [],
        actions=[np.stack(episode.actions) for episode in whole],
        rewards=[np.asarray(episode.rewards, np.float32) for episode in whole],
        seconds=seconds,
        failures={str(episode.seed): str(episode.failure) for episode in failed},
        notes=policy.notes,
        world=policy.spec.world,
        ever=[episode.ever for episode in whole] if told else [],
        truncated=[not episode.ended for episode in whole],
    )


def _check_some(episodes: Sequence[_Episode]) -> None:
    if all(episode.failure is not None for episode in episodes):
        raise TimestepError(_all_failed([str(episode.failure) for episode in episodes]))


def _all_failed(reasons: Sequence[str]) -> str:
    return f"all {len(reasons)} episodes failed, the first one so: {reasons[0]}"
