"""The suite's own lists are what the catalog has."""

from dm_control import suite

from data_pipelines.suites.catalog import catalog
from data_pipelines.suites.dm_control.tasks import suite_names


def in_catalog(domain):
    return [name.partition(".")[2] for name in catalog() if name.startswith(f"{domain}.")]


def test_every_task_of_the_suite_is_here_under_its_name():
    names = in_catalog("dm_control")
    assert sorted(map(suite_names, names)) == sorted((*suite.BENCHMARKING, *suite.EXTRA))
    assert len(names) == 28 + 23
