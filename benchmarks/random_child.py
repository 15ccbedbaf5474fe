"""Plays episodes of the random policy in tasks of one suite, in a process without TensorFlow.

    python -m benchmarks.random_child PARENT EPISODES SECONDS FILE TASK...

FILE gets a JSON line for each task, [name, score], as it ends.
"""

import json
import pathlib
import statistics
import sys
import time
from typing import Any

from benchmarks.episodes import attempt
from data_pipelines import parent_process
from data_pipelines.scores import EVALUATION_SEED_BASE
from data_pipelines.suites import catalog
from data_pipelines.suites.base.expert import RandomPolicy

FEWEST = 3
"""Episodes that are played whatever they take."""

LONGEST = 120.0
"""Seconds after which an episode is cut and counted as failed."""


def score(name: str, episodes: int, seconds: float) -> dict[str, Any]:
    """Returns, steps and seconds of an episode, and the share of successes where the world has such a notion."""
    env = catalog.make(name)
    begun, records = time.perf_counter(), []
    for number in range(episodes):
        if number >= FEWEST and time.perf_counter() - begun > seconds:
            break
        records.append(attempt(env, RandomPolicy(), EVALUATION_SEED_BASE + number, LONGEST))
    env.close()
    played = [record for record in records if "failed" not in record]
    result: dict[str, Any] = {"returns": [record["return"] for record in played]}
    if played:
        result["steps"] = round(statistics.mean(record["steps"] for record in played), 1)
        result["seconds"] = round(statistics.mean(record["seconds"] for record in played), 3)
    if any("success" in record for record in played):
        result["success"] = sum(record["success"] for record in played) / len(played)
    failed = [record["failed"] for record in records if "failed" in record]
    return result | ({"failed": failed} if failed else {})


def main(parent: int, episodes: int, seconds: float, file: pathlib.Path, names: list[str]) -> None:
    """The process."""
    parent_process.end_with(parent)
    parent_process.killed_with_parent(parent)
    with file.open("a", buffering=1) as lines:
        for name in names:
            lines.write(json.dumps([name, score(name, episodes, seconds)]) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), pathlib.Path(sys.argv[4]), sys.argv[5:])
