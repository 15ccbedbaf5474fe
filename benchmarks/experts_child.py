"""Plays the episodes of one task's expert and of the random policy, in a process without TensorFlow.

    python -m benchmarks.experts_child PARENT TASK FIRST_SEED EPISODES FILE

FILE gets a JSON line for each episode, as it ends; episodes that stand there are not played again.
"""

import json
import pathlib
import sys
import time
from collections.abc import Iterator

from data_pipelines import parent_process
from data_pipelines.recording.episodes import ExpertFailed, TimeLimitExceeded, run_episode, time_limit
from data_pipelines.recording.player import open_task
from data_pipelines.suites import catalog
from data_pipelines.suites.base.expert import RandomPolicy

RANDOM_SECONDS = 600.0


def play(name: str, first_seed: int, episodes: int, done: set[tuple[str, int]]) -> Iterator[dict]:
    """A record for each episode of the expert, then for each of the random policy."""
    env, expert = open_task(name)
    limit = catalog.get(name).time_limit
    for who, policy, seconds in (("expert", expert, limit), ("random", RandomPolicy(), RANDOM_SECONDS)):
        for seed in range(first_seed, first_seed + episodes):
            if (who, seed) in done:
                continue
            begun = time.perf_counter()
            record = {"who": who, "seed": seed}
            try:
                with time_limit(seconds):
                    episode = run_episode(env, policy, seed)
            except TimeLimitExceeded:
                record["failed"] = f"took more than {seconds:g} s"
            except ExpertFailed as error:
                record["failed"] = str(error).splitlines()[0]
            else:
                record |= {"return": float(f"{episode.episode_return:.6g}"), "steps": len(episode.executed)}
                if env.success is not None:
                    record["success"] = bool(env.success)
            yield record | {"seconds": round(time.perf_counter() - begun, 3)}


def main(parent: int, name: str, first_seed: int, episodes: int, file: pathlib.Path) -> None:
    """The process."""
    parent_process.end_with(parent)
    parent_process.killed_with_parent(parent)
    done = {(record["who"], record["seed"]) for record in map(json.loads, file.read_text().splitlines())}
    with file.open("a", buffering=1) as lines:
        for record in play(name, first_seed, episodes, done):
            lines.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), pathlib.Path(sys.argv[5]))
