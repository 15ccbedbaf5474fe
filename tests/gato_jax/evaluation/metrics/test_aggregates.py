"""Means, interquartile means, their intervals, and tasks above thresholds."""

import numpy as np
import pytest
from scipy import stats

from gato_jax.evaluation.metrics import aggregates


def test_values_by_hand():
    summary = aggregates.summarise([np.array([0.0, 100.0]), np.array([50.0, 50.0])])
    assert (summary.tasks, summary.episodes) == (2, 4)
    assert summary.mean.value == 50
    # Of 0, 50, 50, 100 the middle half is 50 and 50.
    assert summary.iqm.value == 50
    many = [np.arange(8.0), np.array([1000.0, -1000.0])]
    assert aggregates.summarise(many).iqm.value == stats.trim_mean(np.concatenate(many), 0.25) == 3.5
    assert aggregates.summarise(many).mean.value == (3.5 + 0.0) / 2, "each task counts alike"


def test_the_interval_holds_the_truth_about_95_times_in_100():
    rng, inside = np.random.default_rng(0), []
    for _ in range(20):
        low, high = rng.normal(20, 30, 40), rng.normal(80, 10, 40)
        mean = aggregates.summarise([low, high]).mean
        inside.append(mean.low <= 50 <= mean.high)
    assert 0.8 <= np.mean(inside) <= 1.0


def test_episodes_are_drawn_inside_their_task():
    """Tasks far apart, episodes that agree: the interval knows no spread between tasks."""
    summary = aggregates.summarise([np.full(10, 0.0), np.full(10, 100.0)])
    assert (summary.mean.low, summary.mean.high) == (50, 50)
    assert aggregates.summarise([np.full(10, 0.0), np.arange(10.0)]) == aggregates.summarise(
        [np.full(10, 0.0), np.arange(10.0)]
    ), "the same draws every time"


def test_single_episodes_have_no_interval():
    summary = aggregates.summarise([np.array([1.0]), np.array([2.0, 3.0])])
    assert (summary.mean.value, summary.mean.low, summary.iqm.high) == (1.75, None, None)
    for nothing in ([], [np.array([])]):
        with pytest.raises(ValueError, match="at least one episode a task"):
            aggregates.summarise(nothing)


def test_domains_count_alike():
    domains = {"a": [np.array([0.0, 0.0])], "b": [np.array([100.0, 100.0]), np.array([50.0, 50.0])]}
    assert aggregates.mean_over_domains(domains).value == 37.5


def test_thresholds_count_those_that_reach_them():
    assert aggregates.tasks_at_least([-5, 49.9, 50, 120], [0, 50, 100]) == [3, 2, 1]
    assert aggregates.THRESHOLDS[0] == 0
    assert aggregates.THRESHOLDS[-1] == 100
