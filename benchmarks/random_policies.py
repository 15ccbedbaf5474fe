"""Scores the random policy in every world that can run here: what a normalised score calls 0.

    python -m benchmarks.random_policies ['atari.*' ...] [--minutes 30] [--episodes 10] [--seconds 10] [--again]

One JSON, `experiments/results/random.json`. A task stands there once for the versions of its simulator; those whose
expert has a score (`benchmarks.experts`) have the random policy's in it and are left out. Suites come in the order of
how fast their worlds are (`experiments/results/worlds.json`), each in a process without TensorFlow: a world that
crashes or hangs costs its own score, and its reason is kept. Whole episodes are played at seeds of evaluation until
there are enough, or `--seconds` are over and there are three.
"""

import argparse
import datetime
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.worlds import machine, runnable, versions
from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json
from data_pipelines.reports.measured import EXPERTS, RANDOM_FILE, RESULTS, tried_worlds
from data_pipelines.suites import catalog
from data_pipelines.suites.outside.process import ONE_THREAD, ended, process_environment

EPISODES, SECONDS = 10, 10.0
SILENCE = 400.0
"""Seconds after which a process that has finished no task is ended: more than its fewest episodes may take."""


def known(results: pathlib.Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Task -> what the random policy got ("returns", "versions", ...), from both places where it is kept."""
    scores: dict[str, dict[str, Any]] = {}
    for path in sorted((results / EXPERTS).glob("*.json")):
        score = read_json(path, "an expert's score", keys={"returns": dict, "versions": dict})
        scores[score["task"]] = {"returns": score["returns"]["random"], "versions": score["versions"]}
    return {**_stored(results / RANDOM_FILE)["tasks"], **scores}


def returns_of(task: str, results: pathlib.Path = RESULTS) -> list[float]:
    """The random policy's returns as `random.json` has them for the versions that are installed; else empty."""
    entry = _stored(results / RANDOM_FILE)["tasks"].get(task)
    there = versions(catalog.suite_of(task.partition(".")[0]))
    return entry["returns"] if entry and entry["versions"] == there else []


def measure(
    globs: Iterable[str], results: pathlib.Path, *, minutes: float, episodes: int, seconds: float, again: bool
) -> int:
    """Scores what the globs mean and has no score yet. Returns how many tasks are left."""
    deadline = time.monotonic() + 60 * minutes
    scores = {} if again else known(results)
    left = 0
    for domain, names in _fastest_first(runnable()):
        there = versions(catalog.suite_of(domain))
        todo = [
            name for name in names
            if any(fnmatch.fnmatchcase(name, glob) for glob in globs)
            and scores.get(name, {"versions": None})["versions"] != there
        ]  # fmt: skip
        while todo and time.monotonic() < deadline:
            todo = _play(todo, results / RANDOM_FILE, there, episodes, seconds, deadline)
        left += len(todo)
    return left


def _play(
    todo: list[str], file: pathlib.Path, there: Mapping[str, str], episodes: int, seconds: float, deadline: float
) -> list[str]:
    """Plays tasks in one process until it ends or time is over; returns what it left."""
    with tempfile.TemporaryDirectory() as temporary:
        lines, log = pathlib.Path(temporary) / "lines", pathlib.Path(temporary) / "log"
        lines.touch()
        command = [
            sys.executable, "-W", "ignore", "-m", "benchmarks.random_child", str(os.getpid()), str(episodes),
            str(seconds), str(lines), *todo,
        ]  # fmt: skip
        environment = process_environment() | ONE_THREAD
        with log.open("w") as errors:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        why = _wait(process, lines, deadline)
        entries = dict(json.loads(line) for line in lines.read_text().splitlines())
        if why and len(entries) < len(todo):
            said = log.read_text().strip().splitlines() or ["it printed nothing"]
            broken = todo[len(entries)]
            entries[broken] = {"returns": [], "failed": [why if why.startswith("no task") else f"{why}: {said[-1]}"]}
    stored = _stored(file)
    for name, entry in entries.items():
        stored["tasks"][name] = {**entry, "versions": dict(there)}
        if not entry["returns"]:
            print(f"{name}: no episode: {entry['failed'][0]}", file=sys.stderr, flush=True)
    stored |= {"date": f"{datetime.date.today()}", "machine": machine()}
    write_json(file, {**stored, "tasks": dict(sorted(stored["tasks"].items()))})
    print(f"{len(entries)} of {todo[0].partition('.')[0]}", file=sys.stderr, flush=True)
    return [name for name in todo if name not in entries]


def _wait(process: subprocess.Popen, lines: pathlib.Path, deadline: float) -> str:
    """Until it ends, is silent for too long, or time is over; why a world broke, "" where none did."""
    size, heard = 0, time.monotonic()
    while process.poll() is None:
        if lines.stat().st_size != size:
            size, heard = lines.stat().st_size, time.monotonic()
        silent, late = time.monotonic() - heard > SILENCE, time.monotonic() > deadline
        if silent or late:
            process.kill()
            process.wait()
            return f"no task within {SILENCE:g} s" if silent else ""
        time.sleep(0.1)
    return f"its process {ended(process.returncode)}" if process.returncode else ""


def _fastest_first(suites: Mapping[str, list[str]]) -> list[tuple[str, list[str]]]:
    """Suites and their tasks by the time of one episode, as far as it is known; unknown ones last."""
    tried = tried_worlds()
    rates = {name: entry.get("steps_per_second", 0.0) for name, entry in tried.items()}

    def cost(domain: str) -> float:
        own = [rates[name] for name in suites[domain] if rates.get(name)]
        return catalog.suite_of(domain).episode_steps * len(own) / sum(own) if own else float("inf")

    return [(domain, suites[domain]) for domain in sorted(suites, key=cost)]


def _stored(file: pathlib.Path) -> dict[str, Any]:
    if not file.exists():
        return {"command": "python -m benchmarks.random_policies", "tasks": {}}
    return read_json(file, "scores of the random policy", keys={"tasks": dict})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=["*"])
    parser.add_argument("--minutes", type=float, default=30.0, help="ends after so many")
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for one task")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    names = [name for own in runnable().values() for name in own]
    if not any(fnmatch.fnmatchcase(name, glob) for name in names for glob in options.tasks):
        parser.error(f"none of the {len(names)} worlds that can run here matches {' '.join(options.tasks)}")
    left = measure(
        options.tasks, options.results, minutes=options.minutes, episodes=options.episodes, seconds=options.seconds,
        again=options.again,
    )  # fmt: skip
    print(f"{left} tasks left" if left else "all are scored")


if __name__ == "__main__":
    main()
