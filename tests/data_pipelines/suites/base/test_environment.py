"""Nested observations."""

from data_pipelines.suites.base.environment import nest


def test_paths_nest():
    assert nest({("a", "b"): 1, ("a", "c"): 2, ("d",): 3}) == {"a": {"b": 1, "c": 2}, "d": 3}
