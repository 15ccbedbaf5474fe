"""Figures over many tasks: means, interquartile means and their bootstrap intervals, and tasks above thresholds.

Intervals are the percentile bootstrap's at 95 %, with episodes drawn again inside each task (the stratified bootstrap
of Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice"), so the tasks are taken
as given. The interquartile mean (IQM) is the mean of the middle half of all episodes' scores of all tasks.
"""

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES, BATCH, SEED = 2000, 50, 0

THRESHOLDS = tuple(range(0, 101, 5))
"""Percent of expert at which tasks are counted (Gato, figure 5)."""


@dataclasses.dataclass(frozen=True)
class Aggregate:
    """One figure with its 95 % interval; without one (`low` and `high` None) where a task has a single episode."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class Summary:
    """Some tasks as one.

    Args:
      tasks, episodes: how many stand behind it.
      mean: mean over tasks of the mean over episodes.
      iqm: mean of the middle half of all episodes' scores.
    """

    tasks: int
    episodes: int
    mean: Aggregate
    iqm: Aggregate

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


Scores = Sequence[Float[np.ndarray, " episodes"]]
"""Scores of the episodes of each task."""


def summarise(scores: Scores) -> Summary:
    """Mean and IQM of some tasks.

    Args:
      scores: of each task, at least one episode.

    Raises:
      ValueError: no tasks, or one without episodes.
    """
    arrays = [np.asarray(one, np.float64) for one in scores]
    if not arrays or any(array.size == 0 for array in arrays):
        raise ValueError(f"expected scores of at least one episode a task, found {[array.size for array in arrays]}")
    return Summary(
        tasks=len(arrays),
        episodes=sum(array.size for array in arrays),
        mean=_with_interval(arrays, mean_over_tasks),
        iqm=_with_interval(arrays, interquartile_mean),
    )


def mean_over_tasks(*arrays: Float[np.ndarray, "*batch episodes"], axis: int = -1) -> Float[np.ndarray, "*batch"]:
    """Mean over tasks of the mean over episodes."""
    return np.mean([array.mean(axis=axis) for array in arrays], axis=0)


def interquartile_mean(*arrays: Float[np.ndarray, "*batch episodes"], axis: int = -1) -> Float[np.ndarray, "*batch"]:
    """Mean of the scores of all tasks without the lowest and the highest quarter."""
    return stats.trim_mean(np.concatenate(arrays, axis=axis), proportiontocut=0.25, axis=axis)


def mean_over_domains(domains: Mapping[str, Scores]) -> Aggregate:
    """Mean over domains of the mean over tasks (the paper's aggregate of figure 8)."""
    arrays = [np.asarray(one, np.float64) for scores in domains.values() for one in scores]
    sizes = np.cumsum([len(scores) for scores in domains.values()])[:-1]

    def statistic(*tasks: np.ndarray, axis: int = -1) -> np.ndarray:
        means = np.stack([task.mean(axis=axis) for task in tasks])
        return np.mean([part.mean(axis=0) for part in np.split(means, sizes)], axis=0)

    return _with_interval(arrays, statistic)


def _with_interval(arrays: Sequence[np.ndarray], statistic: Callable[..., np.ndarray]) -> Aggregate:
    value = float(statistic(*arrays))
    if min(array.size for array in arrays) < 2:
        return Aggregate(value)
    with warnings.catch_warnings():
        # Episodes that all agree give an interval without width, which is what is said.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        interval = stats.bootstrap(
            tuple(arrays), statistic, n_resamples=RESAMPLES, batch=BATCH, vectorized=True, paired=False,
            confidence_level=CONFIDENCE, method="percentile", rng=np.random.default_rng(SEED),
        ).confidence_interval  # fmt: skip
    return Aggregate(value, float(interval.low), float(interval.high))


def tasks_at_least(percents: Sequence[float], thresholds: Sequence[float] = THRESHOLDS) -> list[int]:
    """How many tasks are at or above each threshold, in percent of the expert."""
    values = np.asarray(percents, np.float64)
    return [int((values >= threshold).sum()) for threshold in thresholds]
