"""Which episodes are good enough (Gato, section on the control data: at least 80 % of the expert's return)."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

LARGEST_WINDOW = 1000


@dataclasses.dataclass(frozen=True)
class FilterConfig:
    """The paper's filter.

    Args:
      share: of the expert return, from which an episode is kept.
      floor: return that counts as nothing, such as the random policy's; None for the paper's zero.
    """

    share: float = 0.8
    floor: float | None = None

    def __post_init__(self):
        if not 0 <= self.share <= 1:
            raise ValueError(f"filter.share must lie in [0, 1], found {self.share}")


@dataclasses.dataclass(frozen=True)
class FilterResult:
    """What the filter found.

    Args:
      expert: the expert return.
      window: episodes it is a mean of.
      bar: the least return that is kept.
      keep: per episode.
    """

    expert: float
    window: int
    bar: float
    keep: Bool[np.ndarray, "episodes"]


def expert_return(returns: Sequence[float] | Float[np.ndarray, "episodes"]) -> tuple[float, int]:
    """The paper's expert return: the greatest mean of W consecutive episodes, W = min(1000, N / 10).

    Args:
      returns: of all collected episodes, in the order in which they were collected.

    Returns:
      The expert return, and W (at least 1, rounded down).

    Raises:
      ValueError: no returns, or some that are not finite.
    """
    values = np.asarray(returns, np.float64)
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"an expert return needs finite returns, found {values.size} episodes")
    window = max(1, min(LARGEST_WINDOW, values.size // 10))
    # Sums of each window by itself: differences of running sums lose digits where returns differ much in size.
    means = np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1)
    return float(means.max()), window


def select(returns: Sequence[float] | Float[np.ndarray, "episodes"], config: FilterConfig) -> FilterResult:
    """Episodes whose return reaches the bar.

    With an expert return E the bar is E - (1 - share) |E|: for positive E the paper's share x E. For negative E, where
    share x E would lie above the expert itself and keep next to nothing, the bar is as far below E. With a floor F
    below E it is F + share x (E - F). The bar never exceeds E, so some episode is always kept.

    Raises:
      ValueError: no returns; a floor that is not below the expert return.
    """
    values = np.asarray(returns, np.float64)
    expert, window = expert_return(values)
    if config.floor is None:
        bar = expert - (1 - config.share) * abs(expert)
    elif config.floor < expert:
        bar = config.floor + config.share * (expert - config.floor)
    else:
        raise ValueError(f"filter.floor must be below the expert return {expert:.6g}, found {config.floor}")
    # A mean of equal numbers may exceed them by rounding.
    bar = min(bar, float(values.max()))
    return FilterResult(expert, window, bar, values >= bar)
