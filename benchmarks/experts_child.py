"""Plays the episodes of one task's expert and of the random policy, in a process without TensorFlow.

    python -m benchmarks.experts_child PARENT TASK FIRST_SEED EPISODES RANDOM_EPISODES FILE

FILE gets a JSON line for each episode, as it ends; episodes that stand there are not played again.
"""

import json
import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from data_pipelines import parent_process
from data_pipelines.recording.episodes import ExpertFailed, TimeLimitExceeded, run_episode, time_limit
from data_pipelines.recording.player import open_task
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import Expert, RandomPolicy

RANDOM_SECONDS = 600.0


def play(
    name: str, first_seed: int, episodes: int, random_episodes: int, done: set[tuple[str, int]]
) -> Iterator[dict[str, Any]]:
    """A record for each episode of the expert, then for each of the random policy."""
    env, expert = open_task(name)
    limit = catalog.get(name).time_limit
    for who, policy, count, seconds in (
        ("expert", expert, episodes, limit),
        ("random", RandomPolicy(), random_episodes, RANDOM_SECONDS),
    ):
        for seed in range(first_seed, first_seed + count):
            if (who, seed) not in done:
                yield {"who": who, "seed": seed} | attempt(env, policy, seed, seconds)


def attempt(env: Environment, policy: Expert, seed: int, limit: float) -> dict[str, Any]:
    """What came of one episode: its return and steps, or why it failed; and the seconds that it took."""
    begun = time.perf_counter()
    record: dict[str, Any] = {}
    try:
        with time_limit(limit):
            episode = run_episode(env, policy, seed)
    except TimeLimitExceeded:
        record["failed"] = f"took more than {limit:g} s"
    except ExpertFailed as error:
        record["failed"] = str(error).splitlines()[0]
    else:
        record |= {"return": float(f"{episode.episode_return:.6g}"), "steps": len(episode.executed)}
        if env.success is not None:
            record["success"] = bool(env.success)
    return record | {"seconds": round(time.perf_counter() - begun, 3)}


def main(parent: int, name: str, first_seed: int, episodes: int, random_episodes: int, file: pathlib.Path) -> None:
    """The process."""
    parent_process.end_with(parent)
    parent_process.killed_with_parent(parent)
    done = {(record["who"], record["seed"]) for record in map(json.loads, file.read_text().splitlines())}
    with file.open("a", buffering=1) as lines:
        for record in play(name, first_seed, episodes, random_episodes, done):
            lines.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6]), file=pathlib.Path(sys.argv[6]))
