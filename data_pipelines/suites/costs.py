"""What recording a task takes, and what its demonstrator usually reaches: measured, so that both can be foretold.

`python -m benchmarks.recording_costs` writes `costs.json` beside this file, from recordings. Where a task was never
recorded for it, what is known of its demonstrator stands in (`frozen_scores`).
"""

import dataclasses
import functools
import statistics
from collections.abc import Mapping
from pathlib import Path

from data_pipelines.read_json import read_json
from data_pipelines.suites.frozen_scores import frozen_scores

COSTS_FILE = Path(__file__).with_name("costs.json")
_OF_THE_WORLD = ("writing", "random", "opening", "bytes", "steps")
_LEAST_SHARE = 0.05
"""What none of 20 measured episodes reached may still be reached now and then."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What was measured of a task. Seconds are those of one idle core.

    Args:
      attempt: seconds of one attempt of the demonstrator.
      writing: seconds to write an episode that is kept.
      random: seconds of an episode of the random policy.
      opening: seconds to open the world and to close its files, once for each part that a worker records.
      kept: share of the attempts that are kept with the task's own bar.
      bytes, steps: of an episode that is kept; descriptions beside it do not count.
      measured: whether a recording of the task was measured; else its demonstrator alone, and the rest is what the
        median task of its suite takes.
      counts: whether the demonstrator counts as an expert (docs/experts.md).
      returns: of its measured episodes, where the world does not say when its goal is reached.
      random_mean: mean return of the random policy.
    """

    attempt: float = 0.0
    writing: float = 0.0
    random: float = 0.0
    opening: float = 0.0
    kept: float = 1.0
    bytes: float = 0.0
    steps: float = 0.0
    measured: bool = False
    counts: bool = False
    returns: tuple[float, ...] = ()
    random_mean: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of the demonstrator for each episode that is kept."""
        return self.attempt / self.kept

    def reached(self, bar: float | None) -> float:
        """Share of the measured episodes whose return is at least `bar`; 1 where nothing is known."""
        if bar is None or not self.returns:
            return 1.0
        return max(_LEAST_SHARE, sum(value >= bar for value in self.returns) / len(self.returns))

    def bar(self, share: float) -> float | None:
        """The return that lies this share of the way from the random policy's mean to the demonstrator's.

        None where the world says when its goal is reached, or nothing is known.
        """
        if not self.returns:
            return None
        mean = sum(self.returns) / len(self.returns)
        return float(f"{self.random_mean + share * (mean - self.random_mean):.4g}")


@functools.cache
def costs() -> Mapping[str, Cost]:
    """Task -> what was measured of it."""
    recorded = read_json(COSTS_FILE, "what tasks cost", keys=("tasks",))["tasks"]
    rows = {name: {**row, "measured": True} for name, row in recorded.items()}
    for name, score in frozen_scores().tasks.items():
        if score.expert is None:
            continue
        failed = score.expert.failed / score.expert.episodes
        row = rows.setdefault(name, {"kept": max(_LEAST_SHARE, 1 - failed), **_of_its_suite(name, recorded)})
        row.setdefault("attempt", score.seconds or 0.0)
        row["counts"] = score.counts
        if score.success is None and score.random is not None:
            row |= {"returns": score.expert.returns, "random_mean": score.random.mean}
    return {name: Cost(**row) for name, row in sorted(rows.items())}


def _of_its_suite(name: str, recorded: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What the median task of the same suite takes; nothing where none was recorded."""
    domain = name.partition(".")[0]
    others = [row for other, row in recorded.items() if other.partition(".")[0] == domain]
    return {key: statistics.median(row.get(key, 0.0) for row in others) for key in _OF_THE_WORLD} if others else {}


def cost_of(name: str) -> Cost | None:
    """What was measured of a task; None where nothing was."""
    return costs().get(name)
