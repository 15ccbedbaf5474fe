"""What recording a task takes, for `gato record` to foretell: measured from recordings.

    gato record --preset local --episodes 4 --validation 0 --out DIR
    python -m benchmarks.recording_costs DIR [DIR ...]

Tasks in data_pipelines/suites/costs.json that the directories do not have stay. Seconds are those of the processor
where the world is played in the worker, so that other jobs on the machine do not count.
"""

import argparse
import datetime
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.worlds import machine
from data_pipelines.atomic_files import write_text
from data_pipelines.read_json import read_json
from data_pipelines.recording.config import Policy
from data_pipelines.storage.data_directory import RECORDING_FILE
from data_pipelines.suites import catalog
from data_pipelines.suites.costs import COSTS_FILE


def measured(directory: pathlib.Path) -> dict[str, float]:
    """What the recording of one task took: the fields of `Cost` that it tells of."""
    recorded = read_json(directory / RECORDING_FILE, "what a task was recorded with")
    size = sum(path.stat().st_size for path in directory.rglob("*.tfrecord*"))
    # Waiting for other jobs is left out, but only where all work was this process's own.
    task = catalog.catalog().get(recorded["settings"]["task"])
    own = min(1.0, recorded["cpu_seconds"] / recorded["seconds"]) if task is not None and not task.draws else 1.0
    kept, attempts = recorded["kept"], recorded["kept"] + recorded["rejected"]
    spent = {key: own * value for key, value in recorded.get("seconds_in", {}).items()}
    opening = own * recorded["seconds"] - sum(spent.values())
    examples = kept if "episodes" in recorded["settings"] else 1  # Documents are recorded all together.
    result = {"bytes": size / examples, "steps": recorded["steps"] / kept, "opening": opening / recorded["parts"]}
    if spent:
        randoms = max(1, len(recorded["returns"]["random"]))
        result |= {"attempt": spent["expert"] / attempts, "writing": spent["writing"] / kept}
        result |= {"random": spent["random"] / randoms, "kept": kept / attempts}
    return {key: float(f"{value:.3g}") for key, value in result.items()}


def take_in(directories: Iterable[pathlib.Path], costs: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The costs with those of the tasks that data directories hold.

    Beginnings of episodes, random and mixed recordings, and those of earlier versions, which kept no times, are left
    out.
    """
    taken = dict(costs)
    for file in (file for data in directories for file in sorted(data.glob(f"*/{RECORDING_FILE}"))):
        recorded = read_json(file, "what a task was recorded with")
        settings = recorded["settings"]
        whole = not settings.get("starts") and settings.get("policy", Policy.EXPERT.value) == Policy.EXPERT.value
        if whole and "cpu_seconds" in recorded:
            taken[file.parent.name] = measured(file.parent)
    return dict(sorted(taken.items()))


def text_of(costs: Mapping[str, Mapping[str, float]], measured_on: str) -> str:
    """The file: a line for each task."""
    lines = [f'    "{name}": {json.dumps(dict(sorted(row.items())))}' for name, row in costs.items()]
    return f'{{\n  "measured": "{measured_on}",\n  "tasks": {{\n' + ",\n".join(lines) + "\n  }\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, nargs="+", help="data directories")
    options = parser.parse_args()
    before = read_json(COSTS_FILE, "what tasks cost", keys=("tasks",))["tasks"] if COSTS_FILE.exists() else {}
    costs = take_in(options.data, before)
    write_text(COSTS_FILE, text_of(costs, f"{datetime.date.today()}, {machine()}"))
    print(f"{COSTS_FILE}: {len(costs)} tasks")


if __name__ == "__main__":
    main()
