"""Numbers in sentences."""

import pytest

from data_pipelines.words import counted, duration, size


@pytest.mark.parametrize(("count", "text"), [(0, "0 tasks"), (1, "1 task"), (2, "2 tasks"), (1000, "1,000 tasks")])
def test_counted(count, text):
    assert counted(count, "task") == text


def test_durations_and_sizes():
    assert [duration(seconds) for seconds in (0.04, 9.4, 45, 100, 5_400, 11_100)] == [
        "0.0 s", "9.4 s", "45 s", "2 min", "90 min", "3 h 05 min",
    ]  # fmt: skip
    assert [size(count) for count in (800, 12_300, 3.44e6, 4.2e8, 1.25e9)] == [
        "1 kB", "12 kB", "3.4 MB", "420 MB", "1.2 GB",
    ]  # fmt: skip
