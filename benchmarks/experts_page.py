"""The page of demonstrators: which count, by suite, and the score of each beside random and the best published."""

import collections
import fnmatch
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import random_policies
from benchmarks.experts_bars import SUCCESS_SHARE
from benchmarks.experts_tried import TRIED
from data_pipelines.atomic_files import write_text
from data_pipelines.read_json import read_json
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source

_TOP = """# Demonstrators

Written by `python -m benchmarks.experts --page docs/experts.md` from one JSON a task under
`experiments/results/experts/`, which `python -m benchmarks.experts` measures.

An expert **counts** when it reaches its goal in at least 80 % of the episodes as the world itself says it, or at least
80 % of the best published return (human level in Atari; what gymnasium calls solved), with the lower end of its 95 %
interval above the random policy. Episodes begin at seeds that no recording uses, and nothing disturbs the actions. An
attempt that failed (time limit, an error of the demonstrator) is no success, and has the random policy's return.
Scores of the random policy where nobody demonstrates are in `experiments/results/random.json`, which
`python -m benchmarks.random_policies` measures.

"""


def load(directory: pathlib.Path) -> list[dict[str, Any]]:
    """Scores by task name."""
    return [read_json(path, "an expert's score") for path in sorted(directory.glob("*.json"))]


def write(directory: pathlib.Path, page: pathlib.Path) -> None:
    """Writes the page, and its plot to images/experts.png beside it."""
    scores = load(directory)
    _plot(scores, page.parent / "images" / "experts.png")
    once = [score for score in scores if _counts_once(score["task"])]
    counted = sum(score["counts"] for score in once)
    lines = [
        f"**{counted} of {len(once)} measured experts count**; tasks that repeat another in another mode are left out.",
        "",
        "![Scores by suite](images/experts.png)",
        "",
    ]
    suites: dict[str, list[dict[str, Any]]] = {}
    for score in scores:
        suites.setdefault(_domain(score["task"]), []).append(score)
    lines += _summary(suites, collections.Counter(map(_domain, random_policies.known(directory.parent))))
    lines += _fell_short(scores)
    for suite, own in suites.items():
        first = own[0]
        bars = "; ".join(sorted({score["source"] for score in own}))
        lines += ["", f"## {suite}", "", f"{first['date']}, {first['machine']}; {_versions(own)}. Bar: {bars}.", ""]
        lines += [
            "| task | expert | 95 % | random | success | bar | s/episode | |",
            "|---|---:|---:|---:|---:|---:|---:|---|",
        ]
        lines += [_row(score) for score in own]
    waiting = sorted(_demonstrated() - {score["task"] for score in scores})
    if waiting:
        lines += ["", f"## Not measured yet: {len(waiting)}", "", ", ".join(waiting), ""]
        lines += [f"- `{glob}`: {text}" for glob, text in TRIED.items() if fnmatch.filter(waiting, glob)]
    write_text(page, _TOP + "\n".join(lines) + "\n")


def _domain(task: str) -> str:
    return task.partition(".")[0]


def _summary(suites: Mapping[str, Sequence[Mapping[str, Any]]], random: Mapping[str, int]) -> list[str]:
    lines = [
        "| suite | experts | count | worlds with a score of the random policy | what experts look at |",
        "|---|---:|---:|---:|---|",
    ]
    for suite in sorted({*suites, *random}):
        own = suites.get(suite, [])
        reads = "; ".join(sorted({score["reads"] for score in own}))
        counted = sum(score["counts"] for score in own)
        lines.append(f"| {suite} | {len(own)} | {counted} | {random.get(suite, 0)} | {reads} |")
    counted = sum(score["counts"] for own in suites.values() for score in own)
    return [*lines, f"| all | {sum(map(len, suites.values()))} | {counted} | {sum(random.values())} | |"]


def _fell_short(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those that do not count, with what was tried."""
    short = [score for score in scores if not score["counts"]]
    if not short:
        return []
    lines = ["", "## Fell short", "", "| task | reached | of | what was tried |", "|---|---:|---:|---|"]
    for score in short:
        by_success = score["by_success"]
        reached = f"{score['success']:.0%}" if by_success else f"{score['mean']:.4g}"
        of = f"{SUCCESS_SHARE:.0%}" if by_success else "" if score["bar"] is None else f"{score['bar']:g}"
        tried = next((text for glob, text in TRIED.items() if fnmatch.fnmatchcase(score["task"], glob)), "")
        if score["episodes"] < score["settings"]["episodes"]:
            tried += "; " * bool(tried) + f"given up after {score['episodes']} episodes"
        lines.append(f"| {score['task']} | {reached} | {of} | {tried} |")
    return lines


def _counts_once(name: str) -> bool:
    """Whether a task is no other one in another mode."""
    return catalog.suite_of(name.partition(".")[0]).counts


def _demonstrated() -> set[str]:
    tasks = catalog.catalog().values()
    return {task.name for task in tasks if task.source is Source.ENVIRONMENT and task.demonstrated}


def _versions(scores: Sequence[Mapping[str, Any]]) -> str:
    every = {f"{name} {version}" for score in scores for name, version in score["versions"].items()}
    return ", ".join(sorted(every)) or "no simulator of others"


def _row(score: Mapping[str, Any]) -> str:
    bar = f"success {SUCCESS_SHARE:.0%}" if score["by_success"] else "" if score["bar"] is None else f"{score['bar']:g}"
    success = f"{score['success']:.0%}" if "success" in score else ""
    failed = f"; {len(score['failed'])} of {score['episodes']} attempts failed" if score["failed"] else ""
    verdict = "counts" if score["counts"] else "does not count"
    return (
        f"| {score['task'].partition('.')[2]} | {score['mean']:.4g} | {score['low']:.4g} to {score['high']:.4g} | "
        f"{score['random_mean']:.3g} | {success} | {bar} | {score['seconds_per_episode']:.2g} | {verdict}{failed} |"
    )


def _plot(scores: Sequence[Mapping[str, Any]], file: pathlib.Path) -> None:
    """A point for each task: how far its expert is on the way from random to its bar."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    suites = list(dict.fromkeys(_domain(score["task"]) for score in scores))
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(suites) + 1.2))
    for score in scores:
        row = suites.index(_domain(score["task"]))
        place = score["success"] / SUCCESS_SHARE if score["by_success"] else _way(score)
        axes.plot(min(place, 1.6), row, "o", color="#2a7f62" if score["counts"] else "#b83a3a", alpha=0.5, markersize=6)
    axes.axvline(1.0, color="#1d2126", linewidth=0.8)
    axes.set_yticks(range(len(suites)), suites)
    axes.invert_yaxis()
    axes.set_xlim(-0.1, 1.7)
    axes.set_xlabel("0: random (or no success), 1: the bar; green counts")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _way(score: Mapping[str, Any]) -> float:
    if score["bar"] is None:
        return 0.0
    distance = score["bar"] - score["random_mean"]
    return (score["mean"] - score["random_mean"]) / distance if distance > 0 else 1.0
