"""Every world that can run here is reset twice with one seed, stepped at random inside its spec, and drawn."""

import ctypes.util

import pytest

from data_pipelines.suites import catalog
from data_pipelines.suites.trials.run import run_trials


def runnable(sample=False):
    """Names of all worlds, suite after suite; or of the middle one of each suite."""
    suites = [
        [task.name for task in suite.tasks if task.make_environment is not None and task.installed]
        for suite in catalog.SUITES
    ]
    return [name for names in suites for name in (names[len(names) // 2 :][:1] if sample else names)]


@pytest.fixture
def needs_opengl():
    if ctypes.util.find_library("EGL") is None:
        pytest.skip("EGL is not installed: nothing can be drawn")


def failures(names, **options):
    return {name: trial.reason for name, trial in run_trials(names, **options) if not trial.ok}


def test_one_world_of_each_suite(needs_opengl):
    assert failures(runnable(sample=True), together=True) == {}


@pytest.mark.slow
def test_every_world(needs_opengl):
    """`python -m benchmarks.worlds` does the same, keeps what is known, and says how fast they are."""
    assert failures(runnable()) == {}
