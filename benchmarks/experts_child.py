"""Has the episodes of one task's expert and of the random policy played, and writes down what came of them.

    python -m benchmarks.experts_child PARENT TASK FIRST_SEED EPISODES RANDOM_EPISODES FILE

FILE gets a JSON line for each episode, as it ends; episodes that stand there are not played again.
"""

import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.episodes import EXPERT, RANDOM, EpisodePlayer
from data_pipelines import parent_process
from data_pipelines.suites import catalog

RANDOM_SECONDS = 600.0


def play(
    name: str, first_seed: int, episodes: int, random_episodes: int, done: set[tuple[str, int]]
) -> Iterator[dict[str, Any]]:
    """A record for each episode of the expert, then for each of the random policy."""
    counts = ((EXPERT, episodes, catalog.get(name).time_limit), (RANDOM, random_episodes, RANDOM_SECONDS))
    with EpisodePlayer(name) as player:
        for who, count, seconds in counts:
            for seed in range(first_seed, first_seed + count):
                if (who, seed) not in done:
                    yield {"who": who, "seed": seed} | player.attempt(who, seed, seconds)


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
