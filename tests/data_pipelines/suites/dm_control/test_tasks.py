"""The suite's own lists are what the catalog has."""

from dm_control import suite

from data_pipelines.suites.catalog import catalog
from data_pipelines.suites.dm_control.perturbed_tasks import NAMES
from data_pipelines.suites.dm_control.tasks import suite_names
from data_pipelines.suites.dm_control.trained import POLICIES

DOMAINS = ("dm_control_random_small", "dm_control_random_large")


def in_catalog(domain):
    return [name.partition(".")[2] for name in catalog() if name.startswith(f"{domain}.")]


def test_every_task_of_the_suite_is_here_under_its_name():
    names = in_catalog("dm_control")
    assert sorted(map(suite_names, names)) == sorted((*suite.BENCHMARKING, *suite.EXTRA))
    assert len(names) == 28 + 23
    pixels = in_catalog("dm_control_pixels")
    assert sorted(map(suite_names, pixels)) == sorted(suite.BENCHMARKING)
    assert all(catalog()[f"dm_control_pixels.{name}"].draws for name in pixels)


def test_perturbed_bodies_are_those_of_the_benchmark_without_what_is_held_out():
    assert len(NAMES) == 26
    left_out = set(suite.BENCHMARKING) - set(map(suite_names, NAMES))
    assert left_out == {("cartpole", "swingup"), ("cartpole", "swingup_sparse")}
    for domain in DOMAINS:
        assert in_catalog(domain) == sorted(NAMES)


def test_a_body_has_one_expert_wherever_it_acts_but_trained_policies_know_one_body():
    with_expert = {name for name in in_catalog("dm_control") if catalog()[f"dm_control.{name}"].demonstrated}
    assert len(with_expert) >= 20
    for domain in ("dm_control_pixels", *DOMAINS):
        names, trained = set(in_catalog(domain)), set(POLICIES) if domain in DOMAINS else set()
        assert {name for name in names if catalog()[f"{domain}.{name}"].demonstrated} == with_expert & names - trained
