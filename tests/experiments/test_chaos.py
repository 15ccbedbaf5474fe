"""The experiment that kills a run again and again, with few kills."""

import pytest

from experiments.chaos import chaos, markdown


@pytest.mark.slow
def test_a_run_that_is_killed_comes_out_equal(recorded_data, tmp_path):
    """And the experiment itself goes on where it was."""
    chaos(recorded_data, tmp_path, kills=1, steps=150, seed=1)
    table = chaos(recorded_data, tmp_path, kills=1, steps=150, seed=1)
    assert table["equal_records"] == 150
    assert sum(row["times"] for row in table["survived"]) == 1
    assert markdown(table).count("\n") == 3
