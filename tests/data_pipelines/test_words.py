"""Numbers in sentences."""

import pytest

from data_pipelines.words import counted


@pytest.mark.parametrize(("count", "text"), [(0, "0 tasks"), (1, "1 task"), (2, "2 tasks"), (1000, "1,000 tasks")])
def test_counted(count, text):
    assert counted(count, "task") == text
