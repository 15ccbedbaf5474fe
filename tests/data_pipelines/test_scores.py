"""The normaliser's arithmetic, and that it stays frozen."""

import numpy as np
import pytest

from data_pipelines.scores import Normaliser, freeze_scores, load_scores


def test_percent_maps_random_to_0_and_expert_to_100():
    normaliser = Normaliser.from_returns([800.0, 1000.0], [100.0, 0.0])
    np.testing.assert_allclose(normaliser.percent([50.0, 900.0, 475.0, 1750.0, 0.0]), [0, 100, 50, 200, -50 / 8.5])


@pytest.mark.parametrize("returns", [([], [0.0]), ([1.0], [])])
def test_both_policies_are_needed(returns):
    with pytest.raises(ValueError, match="returns of both policies"):
        Normaliser.from_returns(*returns)


def test_an_expert_no_better_than_chance_is_an_error():
    with pytest.raises(ValueError, match=r"better than the random policy, found expert 1\.0 and random 1\.0"):
        Normaliser(expert=1.0, random=1.0)


def test_entries_are_frozen(tmp_path):
    first = Normaliser.from_returns([10.0], [0.0])
    assert freeze_scores(tmp_path, {"a.b": first}) == ()
    other = Normaliser.from_returns([20.0], [0.0])
    assert freeze_scores(tmp_path, {"a.b": other, "c.d": other}) == ("a.b",)
    assert load_scores(tmp_path) == {"a.b": first, "c.d": other}


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no scores\.json"):
        load_scores(tmp_path)
    (tmp_path / "scores.json").write_text('{"a.b": {"expert": 1}}')
    with pytest.raises(ValueError, match=r"scores\.json is damaged"):
        load_scores(tmp_path)
