"""Episodes of one policy in N environments at once.

The environments step in lockstep, so that each step is one call of the model; an environment that has finished keeps
its place in the batch (the compiled shapes stay) and is not stepped any more. The executed actions are kept: seed and
actions replay an episode in another process, where it can be rendered.
"""

import dataclasses
import io
import json
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines import atomic_files
from data_pipelines.suites.base.environment import Environment
from gato_jax.agent.policy import Policy

Progress = Callable[[int, int, int], None]
"""Called as (step, finished episodes, episodes) now and then."""

PROGRESS_EVERY = 25


@dataclasses.dataclass(frozen=True, eq=False)
class Rollout:
    """Episodes of one task.

    Args:
      task: name.
      decode: "argmax" or "sample".
      seeds: `reset_to` seed of each episode.
      returns, lengths: undiscounted return and number of steps of each episode.
      success: of each episode, empty where the task has no notion of it.
      actions: executed actions of each episode, [length, ...].
      rewards: of each episode, [length].
      seconds: wall time, compiling included.
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

    def save(self, path: Path, *, settings: dict[str, Any]) -> None:
        """Writes one npz (arrays and JSON, no pickle), whole or not at all."""
        meta = {
            "settings": settings,
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
        }
        del meta["actions"], meta["rewards"]
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
            rollout = Rollout(
                **{key: value for key, value in meta.items() if key != "settings"},
                actions=[data[f"actions_{i}"] for i in episodes],
                rewards=[data[f"rewards_{i}"] for i in episodes],
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a saved rollout: {error}") from error
    return rollout, meta["settings"]


def roll_out(
    policy: Policy,
    environments: Sequence[Environment],
    seeds: Sequence[int],
    *,
    max_steps: int | None = None,
    progress: Progress | None = None,
) -> Rollout:
    """One episode per environment, from `reset_to(seed)` to its end or to `max_steps`.

    Raises:
      ValueError: not one environment per seed, or an environment of another task than the policy's.
    """
    if len(environments) != len(seeds) or not seeds:
        raise ValueError(f"expected one environment per seed, found {len(environments)} and {len(seeds)} seeds")
    for environment in environments:
        if environment.spec != policy.spec:
            raise ValueError(
                f"the policy acts in {policy.spec.name!r}, found an environment of {environment.spec.name!r}"
            )
    started = time.monotonic()
    count = len(seeds)
    limit = policy.spec.max_episode_steps if max_steps is None else max_steps
    observations = [
        environment.reset_to(seed).observation for environment, seed in zip(environments, seeds, strict=True)
    ]
    actions: list[list[np.ndarray]] = [[] for _ in seeds]
    rewards: list[list[float]] = [[] for _ in seeds]
    policy.reset(seeds)
    running = list(range(count))
    for step in range(limit):
        chosen = policy.act(observations)
        for i in running:
            timestep = environments[i].step(chosen[i])
            observations[i] = timestep.observation
            actions[i].append(chosen[i])
            rewards[i].append(float(timestep.reward))
            if timestep.last():
                running = [j for j in running if j != i]
        if progress is not None and (step % PROGRESS_EVERY == 0 or not running):
            progress(step + 1, count - len(running), count)
        if not running:
            break
    success = [environment.success for environment in environments]
    return Rollout(
        task=policy.spec.name,
        decode=policy.decode.value,
        seeds=list(map(int, seeds)),
        returns=[float(np.sum(reward)) for reward in rewards],
        lengths=[len(reward) for reward in rewards],
        success=[] if None in success else [bool(value) for value in success],
        actions=[np.stack(action) for action in actions],
        rewards=[np.asarray(reward, np.float32) for reward in rewards],
        seconds=time.monotonic() - started,
    )
