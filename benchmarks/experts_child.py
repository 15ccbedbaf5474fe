"""Has the episodes of one task's expert and of the random policy played, and writes down what came of them.

    python -m benchmarks.experts_child PARENT TASK FIRST_SEED EPISODES RANDOM_EPISODES HOPELESS FILE

FILE gets a JSON line for each episode, as it ends; episodes that stand there are not played again. An expert whose
first episodes all return less than HOPELESS is given up.
"""

import json
import math
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.episodes import EXPERT, RANDOM, EpisodePlayer
from data_pipelines import parent_process
from data_pipelines.suites import catalog

RANDOM_SECONDS = 600.0
ENOUGH_TO_GIVE_UP = 3
"""Episodes of an expert that is hopeless."""


def play(
    name: str, seeds: range, random_episodes: int, hopeless: float, records: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """A record for each episode of the expert, then for each of the random policy, but for those that are there."""
    done = {(record["who"], record["seed"]): record for record in records}
    first = [done[EXPERT, seed] for seed in seeds[:ENOUGH_TO_GIVE_UP] if (EXPERT, seed) in done]
    with EpisodePlayer(name) as player:
        for seed in seeds:
            if len(first) == ENOUGH_TO_GIVE_UP and all(record.get("return", -math.inf) < hopeless for record in first):
                break
            if (EXPERT, seed) not in done:
                record = {"who": EXPERT, "seed": seed} | player.attempt(EXPERT, seed, catalog.get(name).time_limit)
                if len(first) < ENOUGH_TO_GIVE_UP:
                    first.append(record)
                yield record
        for seed in seeds[:random_episodes]:
            if (RANDOM, seed) not in done:
                yield {"who": RANDOM, "seed": seed} | player.attempt(RANDOM, seed, RANDOM_SECONDS)


def main(parent: int, name: str, seeds: range, random_episodes: int, hopeless: float, file: pathlib.Path) -> None:
    """The process."""
    parent_process.end_with(parent)
    parent_process.killed_with_parent(parent)
    records = [json.loads(line) for line in file.read_text().splitlines()]
    with file.open("a", buffering=1) as lines:
        for record in play(name, seeds, random_episodes, hopeless, records):
            lines.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    first, count = int(sys.argv[3]), int(sys.argv[4])
    main(
        int(sys.argv[1]), sys.argv[2], range(first, first + count), int(sys.argv[5]), float(sys.argv[6]),
        pathlib.Path(sys.argv[7]),
    )  # fmt: skip
