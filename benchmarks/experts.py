"""Scores demonstrators: random policy and expert in whole episodes, beside the best that was published.

    python -m benchmarks.experts ['babyai.*' ...] [--minutes 60] [--workers 2] [--episodes 20] [--out DIR] [--again]
    python -m benchmarks.experts --page docs/experts.md      # judges scores by the bars of today; the page, its plot

One JSON a task under experiments/results/experts/. A task is skipped where its settings and its simulator's versions
are those that were measured; the cheapest tasks come first, and an interrupted task goes on with its next episode. The
seeds are evaluation's, which no recording uses; nothing disturbs the actions. The random policy's returns are those of
`benchmarks.random_policies` where it has them. `benchmarks.experts_bars` says when an expert counts.
"""

import argparse
import datetime
import fnmatch
import hashlib
import json
import math
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import experts_page, random_policies
from benchmarks.experts_bars import SUCCESS_SHARE, bar_of
from benchmarks.worlds import machine, versions
from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json
from data_pipelines.reports.measured import EXPERTS, RESULTS
from data_pipelines.scores import EVALUATION_SEED_BASE
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.outside.process import ONE_THREAD, ended, process_environment
from gato_jax.evaluation.statistics import mean_interval

EPISODES = 20
LONG_EPISODES, LONG_SECONDS = 10, 60.0
"""Fewer episodes are enough where one takes longer than this."""
HOPELESS = 0.4
"""An expert is given up when its first three episodes all return less than this share of its bar."""


def settings_of(task: Task, episodes: int) -> dict[str, Any]:
    """What decides a score besides the versions."""
    return {
        "task": task.name, "origin": task.origin, "expert": task.expert, "episodes": episodes,
        "first_seed": EVALUATION_SEED_BASE, "time_limit": task.time_limit, **task.settings,
    }  # fmt: skip


def digest_of(settings: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Names a measurement: equal settings and versions need no second one."""
    return hashlib.sha256(json.dumps([settings, versions], sort_keys=True, default=str).encode()).hexdigest()[:16]


def score(task: Task, records: Sequence[Mapping[str, Any]], wanted: int) -> dict[str, Any]:
    """What is published of a task: returns, intervals, and whether its expert counts."""
    of = {who: [record for record in records if record["who"] == who] for who in ("expert", "random")}
    returns = {who: [record["return"] for record in of[who] if "failed" not in record] for who in of}
    has_success = any("success" in record for record in records)
    result: dict[str, Any] = {
        "task": task.name, "expert": task.expert, "reads": task.reads, "episodes": len(of["expert"]),
        "returns": returns, "failed": [record["failed"] for record in of["expert"] if "failed" in record],
        "seconds_per_episode": round(sum(record["seconds"] for record in of["expert"]) / len(of["expert"]), 3),
    }  # fmt: skip
    # An attempt that failed gave nothing to record: it is no success, and its return is that of the random policy.
    if not returns["random"]:
        raise SystemExit(f"{task.name}: no episode of the random policy came to its end, so nothing can be compared")
    random = mean_interval(returns["random"])
    values = returns["expert"] + [random.mean] * len(result["failed"])
    interval = mean_interval(values)
    result |= {"mean": interval.mean, "low": interval.low, "high": interval.high, "random_mean": random.mean}
    if has_success:
        result["success"] = sum(record.get("success", False) for record in of["expert"]) / len(of["expert"])
    return result | judged(result, task, wanted)


def judged(result: Mapping[str, Any], task: Task, wanted: int) -> dict[str, Any]:
    """The bar of a task, and whether its expert counts by it."""
    bar = bar_of(task, has_success="success" in result)
    if bar.by_success:
        reached = result["success"] >= SUCCESS_SHARE
    else:
        reached = bar.return_ is not None and result["mean"] >= bar.return_
    return {
        "reference": bar.reference, "source": bar.source, "bar": bar.return_, "by_success": bar.by_success,
        "counts": bool(result["episodes"] >= wanted and reached and result["low"] > result["random_mean"]),
    }  # fmt: skip


def judge_again(out: pathlib.Path) -> None:
    """Compares all scores with the bars of today, and says which verdicts that changes."""
    for path in sorted(out.glob("*.json")):
        result = read_json(path, "an expert's score")
        verdict = judged(result, catalog.get(result["task"]), result["settings"]["episodes"])
        if verdict["counts"] != result["counts"]:
            print(f"{result['task']}: counts: {verdict['counts']}, {result['counts']} before", file=sys.stderr)
        if result | verdict != result:
            write_json(path, result | verdict)


def measure(
    tasks: Iterable[str], out: pathlib.Path, *, minutes: float, workers: int, episodes: int, again: bool
) -> int:
    """Scores what the globs mean and is not scored yet, the cheapest first.

    Returns:
      How many tasks are left: not begun in time, or ended by an error.
    """
    todo = [task for task in _chosen(tasks) if again or not _is_known(task, out, episodes)]
    todo.sort(key=lambda task: task.seconds)
    out.mkdir(parents=True, exist_ok=True)
    deadline, done, failed, begun = time.monotonic() + 60 * minutes, 0, 0, time.monotonic()
    running: dict[str, tuple[Task, int, pathlib.Path, subprocess.Popen]] = {}
    while todo or running:
        while todo and len(running) < workers and time.monotonic() < deadline:
            task = todo.pop(0)
            running[task.name] = (task, *_begin(task, out, episodes))
        if not running:
            break
        for name in [name for name, (*_, process) in running.items() if process.poll() is not None]:
            task, wanted, lines, process = running.pop(name)
            done += 1
            failed += process.returncode != 0
            said = _end(task, wanted, lines, process, out)
            share = (time.monotonic() - begun) / done
            print(f"{done}, {len(todo) + len(running)} left at {share:.1f} s each: {said}", file=sys.stderr, flush=True)
        time.sleep(0.05)
    return len(todo) + failed


def _chosen(globs: Iterable[str]) -> list[Task]:
    """What the globs mean and can be measured here; says how many tasks it leaves out."""
    worlds = [task for task in catalog.catalog().values() if task.source is Source.ENVIRONMENT]
    named = [task for task in worlds if any(fnmatch.fnmatchcase(task.name, glob) for glob in globs)]
    if not named:
        raise SystemExit(f"no task matches {' '.join(globs)} (`gato tasks` lists all)")
    chosen = [task for task in named if task.demonstrated and task.installed]
    if len(chosen) < len(named):
        alone = sum(not task.demonstrated for task in named)
        print(
            f"{len(chosen)} of {len(named)} tasks; left out: {alone} without a demonstrator, "
            f"{len(named) - len(chosen) - alone} whose simulator is not installed",
            file=sys.stderr,
        )
    return chosen


def _wanted(task: Task, episodes: int) -> int:
    return min(episodes, LONG_EPISODES) if task.seconds > LONG_SECONDS else episodes


def _is_known(task: Task, out: pathlib.Path, episodes: int) -> bool:
    path = out / f"{task.name}.json"
    if not path.exists():
        return False
    there = versions(catalog.suite_of(task.domain))
    return read_json(path, "an expert's score")["digest"] == digest_of(
        settings_of(task, _wanted(task, episodes)), there
    )


def _begin(task: Task, out: pathlib.Path, episodes: int) -> tuple[int, pathlib.Path, subprocess.Popen]:
    wanted = _wanted(task, episodes)
    digest = digest_of(settings_of(task, wanted), versions(catalog.suite_of(task.domain)))
    lines = out / f".{task.name}.{digest}.jsonl"
    lines.touch()
    bar = bar_of(task, has_success=False).return_
    hopeless = HOPELESS * bar if bar is not None and bar > 0.0 else -math.inf
    random_episodes = 0 if random_policies.returns_of(task.name) else wanted
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.experts_child", str(os.getpid()), task.name,
               str(EVALUATION_SEED_BASE), str(wanted), str(random_episodes), str(hopeless), str(lines)]  # fmt: skip
    environment = process_environment() | ONE_THREAD
    with lines.with_suffix(".log").open("w") as errors:  # A pipe that nobody reads would fill, and hold the process up.
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
    return wanted, lines, process


def _end(task: Task, wanted: int, lines: pathlib.Path, process: subprocess.Popen, out: pathlib.Path) -> str:
    """Stores a task's score, if its process got to its end; says what came of it."""
    log = lines.with_suffix(".log")
    errors = log.read_text().strip().splitlines() or ["it printed nothing"]
    log.unlink()
    if process.returncode != 0:
        return f"{task.name}: its process {ended(process.returncode)}: {errors[-1]}"
    there, settings = versions(catalog.suite_of(task.domain)), settings_of(task, wanted)
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    if not any(record["who"] == "random" for record in records):
        records += [{"who": "random", "return": value} for value in random_policies.returns_of(task.name)]
    result = score(task, records, wanted) | {
        "settings": settings, "versions": there, "digest": digest_of(settings, there),
        "command": f"python -m benchmarks.experts {task.name}", "date": f"{datetime.date.today()}",
        "machine": machine(),
    }  # fmt: skip
    write_json(out / f"{task.name}.json", result)
    lines.unlink()
    return f"{task.name}: {result['mean']:.3g} (random {result['random_mean']:.3g}), counts: {result['counts']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=["*"])
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no task after so many")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS / EXPERTS)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--page", type=pathlib.Path)
    options = parser.parse_args()
    if options.page:
        judge_again(options.out)
        experts_page.write(options.out, options.page)
        return
    left = measure(
        options.tasks, options.out, minutes=options.minutes, workers=options.workers, episodes=options.episodes,
        again=options.again,
    )  # fmt: skip
    print(f"{left} tasks left" if left else "all are scored")


if __name__ == "__main__":
    main()
