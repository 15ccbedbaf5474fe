"""Every world that can run here is reset twice with one seed, stepped at random inside its spec, and drawn."""

import ctypes.util

import pytest

from data_pipelines.suites import catalog
from data_pipelines.suites.trials.run import run_trials


def runnable():
    """Each suite, and the names of its worlds."""
    return [
        (suite, [task.name for task in suite.tasks if task.make_environment is not None and task.installed])
        for suite in catalog.SUITES
    ]


@pytest.fixture
def needs_opengl():
    if ctypes.util.find_library("EGL") is None:
        pytest.skip("EGL is not installed: nothing can be drawn")


def failures(names, **options):
    return {name: trial.reason for name, trial in run_trials(names, **options) if not trial.ok}


@pytest.mark.parametrize("optional", [False, True], ids=["what_comes_with_the_tests", "what_is_an_option"])
def test_one_world_of_each_suite(needs_opengl, optional):
    """The middle one."""
    samples = [names[len(names) // 2] for suite, names in runnable() if names and suite.optional == optional]
    assert samples, "ale-py comes with the tests"
    assert failures(samples, together=True) == {}


@pytest.mark.slow
def test_every_world(needs_opengl):
    """`python -m benchmarks.worlds` does the same, keeps what is known, and says how fast they are."""
    assert failures([name for _, names in runnable() for name in names]) == {}
