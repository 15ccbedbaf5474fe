"""Tries every world that can run here: reset twice with one seed, 20 random steps inside its spec, a picture.

    python -m benchmarks.worlds [--tasks 'babyai.*' ...] [--json FILE] [--again] [--seconds 180]
    python -m benchmarks.worlds --strip docs/images/worlds.png

Each suite runs in a process without TensorFlow; a world that crashes, or takes more than `--seconds`, costs its own
trial. What is known already is kept: only worlds that failed, that are new, or whose suite has other versions are tried
again (`--again` tries all). Prints a table of suites with medians of steps/s and pictures of 64x64 a second, each world
that did not run with its reason, and ends with 1 if there is one. `gato tasks` reads the file.

`--strip` draws one picture of each suite that is installed and counts, but for those whose games are not ours to show.
"""

import argparse
import datetime
import fnmatch
import importlib.metadata
import os
import pathlib
import platform
import statistics
import sys
from typing import Any

from benchmarks import worlds_strip
from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json
from data_pipelines.reports.measured import RESULTS, WORLDS_FILE
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Suite
from data_pipelines.suites.trials.run import SECONDS, run_trials

COMMAND = "python -m benchmarks.worlds"


def runnable() -> dict[str, list[str]]:
    """Suite -> its tasks whose world can be made on this machine, suites that are not installed left out."""
    worlds = {
        suite.domain: [task.name for task in suite.tasks if task.make_environment is not None and task.installed]
        for suite in catalog.suites()
    }
    return {domain: names for domain, names in worlds.items() if names}


def versions(suite: Suite) -> dict[str, str]:
    """Of the packages that hold a suite's worlds; those that are not there are left out."""
    there = {}
    for package in suite.packages:
        try:
            there[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return there


def machine() -> str:
    """The processor as Linux names it, and how many of it."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"


def measure(tasks: list[str], file: pathlib.Path, *, again: bool = False, seconds: float = SECONDS) -> dict[str, Any]:
    """Tries worlds and keeps what came of them in a file, after each of them.

    Args:
      tasks: globs of names.
      file: JSON; what it holds of suites with the same versions, and of those that are not installed, stays.
      again: try also those that are known to run.
      seconds: most that one may take.
    """
    known: dict[str, Any] = {"tasks": {}, "versions": {}}
    if file.exists():
        known = read_json(file, "the result of benchmarks.worlds", keys={"tasks": dict, "versions": dict})
    todo = []
    for domain, names in runnable().items():
        there = versions(catalog.suite_of(domain))
        if known["versions"].get(domain) != there:  # What other versions did says nothing of these.
            known["tasks"] = {name: entry for name, entry in known["tasks"].items() if name not in names}
        for name in [name for name in names if any(fnmatch.fnmatchcase(name, glob) for glob in tasks)]:
            if again or not known["tasks"].get(name, {"ok": False})["ok"]:
                todo.append(name)
        known["versions"][domain] = there
    known |= {"command": COMMAND, "date": f"{datetime.date.today()}", "machine": machine()}
    for number, (name, trial) in enumerate(run_trials(todo, seconds=seconds), start=1):
        rates = {"steps_per_second": trial.steps_per_second, "frames_per_second": trial.frames_per_second}
        entry: dict[str, Any] = {"ok": trial.ok, "seconds": round(trial.seconds, 2)}
        entry |= {key: float(f"{rate:.3g}") for key, rate in rates.items() if rate is not None}
        known["tasks"][name] = entry if trial.ok else {**entry, "reason": trial.reason}
        write_json(file, {**known, "tasks": dict(sorted(known["tasks"].items()))})
        if not trial.ok or number % 25 == 0:
            print(f"{number}/{len(todo)} {name}: {trial.reason or 'ran'}", file=sys.stderr, flush=True)
    return known


def table(result: dict[str, Any]) -> str:
    """A line for each suite, and one for each world that did not run."""
    lines = ["| suite | worlds | ran | steps/s | frames/s |", "|---|---:|---:|---:|---:|"]
    worlds = runnable()
    failed = []
    for domain, names in worlds.items():
        entries = {name: result["tasks"][name] for name in names if name in result["tasks"]}
        ran = [entry for entry in entries.values() if entry["ok"]]
        failed += [f"{name}: {entry['reason']}" for name, entry in entries.items() if not entry["ok"]]
        rates = [
            f"{statistics.median(entry[key] for entry in ran):,.0f}" if ran else ""
            for key in ("steps_per_second", "frames_per_second")
        ]
        lines.append(f"| {domain} | {len(names)} | {len(ran)} | {' | '.join(rates)} |")
    ran_in_all = sum(result["tasks"].get(name, {"ok": False})["ok"] for names in worlds.values() for name in names)
    lines.append(f"| all | {sum(map(len, worlds.values()))} | {ran_in_all} | | |")
    return "\n".join([*lines, *failed])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["*"])
    parser.add_argument("--json", type=pathlib.Path, default=RESULTS / WORLDS_FILE)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--strip", type=pathlib.Path)
    options = parser.parse_args()
    if options.strip:
        counted = {domain: names for domain, names in runnable().items() if catalog.suite_of(domain).counts}
        worlds_strip.draw(counted, options.strip)
        return
    names = [name for own in runnable().values() for name in own]
    if not any(fnmatch.fnmatchcase(name, glob) for name in names for glob in options.tasks):
        parser.error(f"--tasks: none of the {len(names)} worlds that can run here matches {' '.join(options.tasks)}")
    result = measure(options.tasks, options.json, again=options.again, seconds=options.seconds)
    print(table(result))
    tried = [result["tasks"][name] for names in runnable().values() for name in names if name in result["tasks"]]
    sys.exit(not all(entry["ok"] for entry in tried))


if __name__ == "__main__":
    main()
