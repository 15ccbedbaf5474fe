"""Intervals and tests for small numbers of episodes.

Two intervals, both at 95 %. Returns that are only ever 0 or 1 (success or failure) get Wilson's score interval, which
does not collapse when all episodes agree. Other returns get Student's t interval of the mean; with identical returns
it has no width, and the report then shows none. The expert's and the random policy's means are taken as fixed: scores
are normalised by frozen constants, so only the agent's own episodes carry uncertainty.

Whether the agent is worse than random is a one-sided permutation test on the difference of mean returns: it assumes
nothing about the shape of the returns and works for 0/1 returns and for returns without variance alike.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

CONFIDENCE = 0.95
_EXACT_PERMUTATIONS = 20_000


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval. `method` is "t", "wilson", "normal", or "none" for fewer than two episodes."""

    mean: float
    low: float
    high: float
    method: str

    @property
    def standard_error(self) -> float:
        """Half of the interval over the normal quantile: good enough to add up independent means."""
        return (self.high - self.low) / (2 * stats.norm.ppf((1 + CONFIDENCE) / 2))

    def scaled(self, scale: float, shift: float) -> "Interval":
        """The interval of `scale * x + shift`; the ends swap when `scale` is negative."""
        ends = sorted((scale * self.low + shift, scale * self.high + shift))
        return Interval(mean=scale * self.mean + shift, low=ends[0], high=ends[1], method=self.method)


def mean_interval(values: Sequence[float] | Float[np.ndarray, " episodes"]) -> Interval:
    """95 % interval of the mean: Wilson's for values in {0, 1}, Student's t otherwise.

    Raises:
      ValueError: there are no values, or some are not finite.
    """
    x = np.asarray(values, np.float64)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"an interval needs finite values and at least one, found {list(map(float, x))}")
    mean, n = float(x.mean()), x.size
    if n == 1:
        return Interval(mean=mean, low=mean, high=mean, method="none")
    if np.isin(x, (0.0, 1.0)).all():
        return share_interval(int(x.sum()), n)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * x.std(ddof=1) / math.sqrt(n))
    return Interval(mean=mean, low=mean - half, high=mean + half, method="t")


def share_interval(hits: int, trials: int) -> Interval:
    """95 % interval (Wilson's) of the share of trials that succeed; one trial alone leaves it wide."""
    z, share = float(stats.norm.ppf((1 + CONFIDENCE) / 2)), hits / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Interval(mean=share, low=max(0.0, centre - half), high=min(1.0, centre + half), method="wilson")


def percent_interval(returns: Sequence[float], expert: float, random: float) -> Interval:
    """The mean of returns as percent, where `random` is 0 and `expert` is 100, with its interval."""
    scale = 100.0 / (expert - random)
    return mean_interval(returns).scaled(scale, -random * scale)


def mean_of_means(intervals: Sequence[Interval]) -> Interval:
    """Mean of independent means (tasks of a domain, domains of a mixture), each with equal weight.

    The tasks are taken as given: the interval says how far the same tasks would move with new episodes.
    """
    mean = float(np.mean([i.mean for i in intervals]))
    error = math.sqrt(sum(i.standard_error**2 for i in intervals)) / len(intervals)
    half = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    return Interval(mean=mean, low=mean - half, high=mean + half, method="normal")


def p_below(returns: Sequence[float], baseline: Sequence[float], *, permutations: int = 20_000, seed: int = 0) -> float:
    """One-sided permutation p-value of "the mean of `returns` is below the mean of `baseline`".

    Small p means the agent really is worse. Exact where there are at most `_EXACT_PERMUTATIONS` ways to split the
    pooled returns, else Monte Carlo with `permutations` seeded draws (and the usual +1, so p is never 0).

    Raises:
      ValueError: either side is empty.
    """
    agent, other = np.asarray(returns, np.float64), np.asarray(baseline, np.float64)
    if agent.size == 0 or other.size == 0:
        raise ValueError(f"a comparison needs episodes on both sides, found {agent.size} and {other.size}")
    pooled = np.concatenate([agent, other])
    observed = agent.sum()
    slack = 1e-9 * max(1.0, float(np.abs(pooled).sum()))  # equal sums must count as equal whatever the adding order
    if math.comb(pooled.size, agent.size) <= _EXACT_PERMUTATIONS:
        sums = np.asarray([pooled[list(c)].sum() for c in itertools.combinations(range(pooled.size), agent.size)])
        return float((sums <= observed + slack).mean())
    order = np.random.default_rng(seed).random((permutations, pooled.size)).argsort(axis=1)[:, : agent.size]
    return float(((pooled[order].sum(axis=1) <= observed + slack).sum() + 1) / (permutations + 1))
