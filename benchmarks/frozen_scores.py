"""Writes the frozen scores of the package from what was measured and published.

    python -m benchmarks.frozen_scores            # writes data_pipelines/suites/scores.json
    python -m benchmarks.frozen_scores --check    # says what has changed since, and writes nothing

Measured: one JSON a task under experiments/results/experts/ (`python -m benchmarks.experts`), and the random policy in
tasks without a measured expert in random.json (`python -m benchmarks.random_policies`). Published:
experiments/results/published/. The version rises when an entry is added or changes; otherwise the file stays as it is.
"""

import argparse
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from data_pipelines.atomic_files import write_text
from data_pipelines.read_json import read_json
from data_pipelines.reports.measured import EXPERTS, RESULTS
from data_pipelines.suites import frozen_scores
from data_pipelines.suites.frozen_scores import FrozenScore, Sample

HUMAN, RANDOM = pathlib.Path("published") / "atari_human.json", "random.json"
DIGITS = 6
"""Significant ones of a return."""


def build(results: pathlib.Path = RESULTS) -> dict[str, FrozenScore]:
    """Scores by task, from a directory of results."""
    published = read_json(results / HUMAN, "published scores of people", keys={"scores": dict, "source": str})
    measured = {}
    for path in sorted((results / EXPERTS).glob("*.json")):
        score = read_json(path, "an expert's score", keys={"task": str, "returns": dict})
        measured[score["task"]] = score
    random = _random(results)
    tasks = {}
    for name in sorted({*measured, *random, *published["scores"]}):
        fields = _measured(measured[name]) if name in measured else dict(random.get(name, {}))
        if people := published["scores"].get(name):
            fields |= {
                "human": people["human"], "human_random": people["random"], "human_source": published["source"]
            }  # fmt: skip
        tasks[name] = FrozenScore(**fields)
    return tasks


def _random(results: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Fields of the tasks in which only the random policy was measured."""
    if not (results / RANDOM).exists():
        return {}
    content = read_json(results / RANDOM, "scores of the random policy", keys={"tasks": dict})
    return {
        name: {
            "random": _sample([_rounded(value) for value in entry["returns"]]),
            "measured": _origin(content["date"], entry["versions"], content["machine"]),
        }
        for name, entry in content["tasks"].items()
        if entry["returns"]
    }


def _sample(returns: list[float]) -> Sample:
    mean, spread = frozen_scores.summary(returns)
    return Sample(_rounded(mean), _rounded(spread), tuple(returns))


def _origin(date: str, versions: Mapping[str, str], machine: str) -> str:
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    return "; ".join(text for text in (date, names, machine) if text)


def _measured(score: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    returns = {who: [_rounded(value) for value in score["returns"].get(who, ())] for who in ("random", "expert")}
    random_mean = 0.0
    if returns["random"]:
        random_mean, _ = frozen_scores.summary(returns["random"])
        fields["random"] = _sample(returns["random"])
    failed = len(score.get("failed", ()))
    if returns["expert"]:
        mean, spread = frozen_scores.summary([*returns["expert"], *[random_mean] * failed])
        fields["expert"] = Sample(_rounded(mean), _rounded(spread), tuple(returns["expert"]), failed)
        fields |= {"expert_name": score["expert"], "counts": score["counts"], "success": score.get("success")}
        fields["seconds"] = score["seconds_per_episode"]
    if "source" in score:
        fields |= {"published": score.get("reference"), "published_source": score["source"]}
    return fields | {"measured": _origin(score["date"], score["versions"], score["machine"])}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def document(version: int, tasks: Mapping[str, FrozenScore]) -> str:
    """The file's text, a line a task."""
    lines = [f"    {json.dumps(name)}: {json.dumps(frozen_scores.entry_json(score))}" for name, score in tasks.items()]
    return f'{{\n  "version": {version},\n  "tasks": {{\n' + ",\n".join(lines) + "\n  }\n}\n"


def changes(old: Mapping[str, FrozenScore], new: Mapping[str, FrozenScore]) -> dict[str, list[str]]:
    """Names of the tasks that were added, changed and lost."""
    return {
        "added": sorted(set(new) - set(old)),
        "changed": sorted(name for name in set(new) & set(old) if new[name] != old[name]),
        "lost": sorted(set(old) - set(new)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where something has changed")
    options = parser.parse_args()
    path = frozen_scores.PATH
    old = frozen_scores.frozen_scores() if path.exists() else None
    tasks = build()
    found = changes(old.tasks if old else {}, tasks)
    for what, names in found.items():
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        print(f"{what}: {len(names)}" + (f" ({shown})" if names else ""))
    if found["lost"]:
        raise SystemExit("tasks that were frozen are no longer measured: results normalised by them would lose them")
    if not any(found.values()):
        print(f"{path.name} is version {old.version if old else 0}, and up to date")
        return
    if options.check:
        raise SystemExit(f"{path.name} is out of date: python -m benchmarks.frozen_scores")
    version = (old.version if old else 0) + 1
    write_text(path, document(version, tasks))
    frozen_scores.frozen_scores.cache_clear()
    print(f"wrote version {version}: {len(tasks)} tasks, SHA-256 {frozen_scores.frozen_scores().sha256}")


if __name__ == "__main__":
    main()
