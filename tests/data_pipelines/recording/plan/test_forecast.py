"""What is foretold of parts with costs made by hand."""

import dataclasses
from pathlib import Path

import pytest

from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.job import Job
from data_pipelines.recording.plan.forecast import WORKER_STARTS, foretell, job_bytes, job_seconds, wall_seconds
from data_pipelines.recording.plan.jobs import jobs_of
from data_pipelines.suites import catalog

CHEAP, DEAR = "classic_control.cart_pole", "dm_control.cartpole_balance"


@pytest.fixture(autouse=True)
def _costs(cheap_and_dear):
    pass


def test_a_part_takes_its_opening_its_episodes_and_its_random_ones():
    job = Job(CHEAP, 0, 10, "", "", bar=catalog.get(CHEAP).bar, random_episodes=4)
    assert job_seconds(job) == 3 + 10 * (1 + 1) + 4 * 0.5
    assert job_seconds(dataclasses.replace(job, uniform=True)) == 3 + 10 * (0.5 + 1) + 4 * 0.5
    assert job_bytes(job) == pytest.approx(10e6, rel=0.01)


def test_what_is_rejected_and_what_is_cut_counts():
    own = catalog.get(DEAR).bar
    job = Job(DEAR, 0, 2, "", "", bar=own)
    assert job_seconds(job) == 4 + 2 * 30 / 0.5
    assert job_seconds(dataclasses.replace(job, noise_swap=True, bar=None)) == 4 + 2 * 30, "all are kept"
    assert job_seconds(dataclasses.replace(job, steps=100)) == 4 + 2 * 30 / 0.5 * 0.1


def test_a_raised_bar_costs_attempts(cheap_and_dear, monkeypatch):
    low = dataclasses.replace(catalog.get(DEAR), bar=40.0)
    monkeypatch.setattr(catalog, "get", lambda name: low)
    assert job_seconds(Job(DEAR, 0, 2, "", "", bar=150.0)) == 4 + 2 * 30 / (0.5 * 2 / 4)


def test_the_longest_part_goes_first_and_workers_share():
    assert wall_seconds([3, 5, 4], 2) == WORKER_STARTS + 7
    assert wall_seconds([60], 8) == WORKER_STARTS + 60


def test_the_table_has_a_line_for_each_task_and_says_what_is_a_guess():
    config = RecordingConfig(episodes=10)
    names = (CHEAP, DEAR, "minigrid.empty_5x5")
    forecast = foretell({name: jobs_of(catalog.get(name), config, Path()) for name in names}, 2)
    assert forecast.table().row_count == 3
    assert forecast.unknown == ("minigrid.empty_5x5",)
    assert forecast.tasks[DEAR].seconds == 4 * 4 + 10 * 60
    line = forecast.line()
    assert "3 tasks, 30 episodes; about 6 min on 2 idle cores; about 30.2 MB and what 1 task take" in line
    assert line.endswith("guessed (?): 1")
    assert forecast.to_dict()["bytes"] == forecast.bytes
