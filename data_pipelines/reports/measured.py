"""What was measured of tasks and is committed: scores of experts and of the random policy, and which worlds ran.

An installed wheel has none of it.
"""

import pathlib
from typing import Any

from data_pipelines.read_json import read_json

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "experiments" / "results"
EXPERTS = "experts"
WORLDS_FILE = "worlds.json"
RANDOM_FILE = "random.json"


def measured_experts(results: pathlib.Path = RESULTS) -> frozenset[str]:
    """Names of the tasks whose expert has a score: the files `experts/<task>.json`."""
    return frozenset(path.name.removesuffix(".json") for path in results.glob(f"{EXPERTS}/*.json"))


def tried_worlds(results: pathlib.Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Task -> what `python -m benchmarks.worlds` found when it was tried; empty where nobody tried.

    Raises:
      ValueError: the file is not what that command writes.
    """
    path = results / WORLDS_FILE
    if not path.exists():
        return {}
    return read_json(path, "the result of benchmarks.worlds", keys={"tasks": dict})["tasks"]
