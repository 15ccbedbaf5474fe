"""Intervals and the below-random test."""

import numpy as np
import pytest

from gato_jax.evaluation import statistics


def test_wilson_for_success_rates_keeps_a_width_when_all_agree():
    interval = statistics.mean_interval([1.0] * 10)
    assert interval.method == "wilson"
    assert (interval.mean, interval.high) == pytest.approx((1.0, 1.0))
    assert interval.low == pytest.approx(0.7225, abs=1e-3)  # Wilson's interval for 10 of 10


@pytest.mark.parametrize(("hits", "low", "high"), [(0, 0.0, 0.7935), (1, 0.2065, 1.0)])
def test_one_question_tells_little(hits, low, high):
    """Newcombe 1998, table I: Wilson's interval of 0 of 1 and 1 of 1."""
    interval = statistics.share_interval(hits, 1)
    assert (interval.mean, interval.method) == (hits, "wilson")
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)


def test_t_interval_of_graded_returns():
    interval = statistics.mean_interval([1.0, 2.0, 3.0, 4.0])
    assert interval.method == "t"
    assert interval.high - interval.mean == pytest.approx(3.182446 * 1.290994 / 2, rel=1e-5)


def test_t_interval_covers_the_mean_about_95_times_in_100():
    rng = np.random.default_rng(0)
    intervals = [statistics.mean_interval(rng.normal(3.0, 2.0, 10)) for _ in range(2000)]
    covered = np.mean([i.low <= 3.0 <= i.high for i in intervals])
    assert 0.93 < covered < 0.97


def test_one_episode_has_no_interval_and_none_is_an_error():
    assert statistics.mean_interval([2.5]).method == "none"
    with pytest.raises(ValueError, match="at least one"):
        statistics.mean_interval([])
    with pytest.raises(ValueError, match="finite"):
        statistics.mean_interval([1.0, float("nan")])


def test_scaling_swaps_the_ends_for_a_negative_factor():
    interval = statistics.mean_interval([0.0, 1.0, 1.0]).scaled(-100.0, 5.0)
    assert interval.low < interval.mean < interval.high


def test_below_random():
    assert statistics.p_below([0.0] * 10, [1.0] * 10) < 0.001
    assert statistics.p_below([1.0] * 10, [0.0] * 10) == pytest.approx(1.0)
    assert statistics.p_below([0.0] * 10, [0.0] * 10) == 1.0, "equal to random is not below random"
    assert statistics.p_below([0.0] * 10, [0.0] * 9 + [1.0]) > 0.05, "one lucky random episode proves nothing"


def test_exact_and_sampled_permutation_tests_agree():
    rng = np.random.default_rng(1)
    agent, other = rng.normal(0, 1, 8), rng.normal(0.6, 1, 8)
    exact = statistics.p_below(agent, other)  # 12,870 splits: exact
    pooled = np.concatenate([agent, other])
    draws = [rng.permutation(pooled)[:8].sum() <= agent.sum() + 1e-9 for _ in range(20_000)]
    assert exact == pytest.approx(np.mean(draws), abs=0.02)


def test_below_random_is_wrong_at_most_five_times_in_100():
    rng = np.random.default_rng(2)
    alarms = [statistics.p_below(rng.random(10), rng.random(10), permutations=400, seed=i) < 0.05 for i in range(300)]
    assert np.mean(alarms) < 0.09
