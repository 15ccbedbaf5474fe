"""The paper's filter: properties for any returns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.importing.control import FilterConfig, expert_return, select

RETURNS = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=300)
SHARES = st.floats(0, 1)


@given(RETURNS)
@settings(max_examples=60, deadline=None)
def test_the_expert_return_is_the_greatest_mean_of_a_window(returns):
    expert, window = expert_return(returns)
    assert window == max(1, min(1000, len(returns) // 10))
    means = [np.mean(returns[start : start + window]) for start in range(len(returns) - window + 1)]
    assert expert == pytest.approx(max(means), rel=1e-9, abs=1e-6)
    assert expert <= max(returns) + 1e-6


def test_windows_by_hand():
    returns = [0.0] * 10 + [5.0, 7.0] + [0.0] * 18  # N = 30: W = 3
    assert expert_return(returns) == (4.0, 3)
    assert expert_return([3.0, 9.0]) == (9.0, 1)
    assert expert_return(np.r_[np.zeros(30_000), np.full(1000, 2.0), np.zeros(9000)]) == (2.0, 1000)


@given(RETURNS, SHARES)
@settings(max_examples=100, deadline=None)
def test_some_episode_is_kept_and_the_bar_never_exceeds_the_expert(returns, share):
    selection = select(returns, FilterConfig(share))
    assert selection.keep.any()
    assert selection.bar <= selection.expert + 1e-9 * abs(selection.expert)
    kept = np.asarray(returns)[selection.keep]
    assert kept.min() >= selection.bar
    dropped = np.asarray(returns)[~selection.keep]
    assert not dropped.size or dropped.max() < selection.bar


@given(RETURNS, SHARES, SHARES)
@settings(max_examples=60, deadline=None)
def test_a_higher_share_keeps_no_more(returns, one, other):
    low, high = sorted((one, other))
    assert not (select(returns, FilterConfig(high)).keep & ~select(returns, FilterConfig(low)).keep).any()


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=100), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_positive_returns_follow_the_papers_letter_and_scale(returns, factor):
    selection = select(returns, FilterConfig(0.75))
    assert selection.bar == pytest.approx(0.75 * selection.expert)
    scaled = select([factor * value for value in returns], FilterConfig(0.75))
    assert scaled.bar == pytest.approx(factor * selection.bar)


def test_negative_and_zero_returns():
    costs = [-130.0, -100.0, -119.0, -121.0, -500.0]
    selection = select(costs, FilterConfig())
    assert (selection.expert, selection.bar) == (-100.0, -120.0)
    assert selection.keep.tolist() == [False, True, True, False, False]
    assert select([-1.0, 0.0, -2.0], FilterConfig()).keep.tolist() == [False, True, False]
    assert select(costs, FilterConfig(floor=-500.0)).bar == pytest.approx(-180.0)
    with pytest.raises(ValueError, match=r"filter.floor must be below the expert return -100, found -100"):
        select(costs, FilterConfig(floor=-100.0))
    with pytest.raises(ValueError, match=r"filter.share must lie in \[0, 1\], found 80"):
        FilterConfig(80)
    with pytest.raises(ValueError, match="needs finite returns"):
        expert_return([float("nan")])
