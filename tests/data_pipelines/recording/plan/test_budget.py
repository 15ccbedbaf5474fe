"""Minutes become a share of episodes that fits, or an error that names what does not."""

from pathlib import Path

import pytest

from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.plan.budget import BudgetTooSmall, within_minutes
from data_pipelines.recording.plan.forecast import foretell
from data_pipelines.recording.plan.jobs import jobs_of
from data_pipelines.suites import catalog

CHEAP, DEAR = "classic_control.cart_pole", "dm_control.cartpole_balance"


@pytest.fixture
def tasks(cheap_and_dear):
    return [catalog.get(CHEAP), catalog.get(DEAR)]


def foretold(tasks, config, workers=2):
    return foretell({task.name: jobs_of(task, config, Path()) for task in tasks}, workers)


def test_the_whole_fits_and_little_is_left_unused(tasks):
    config = within_minutes(tasks, RecordingConfig(episodes=40), minutes=10, workers=2)
    assert 0 < config.share < 1
    assert 0.85 * 600 < foretold(tasks, config).seconds <= 600
    numbers = [config.task_settings(task)["episodes"] for task in tasks]
    assert numbers == [max(1, round(40 * config.share))] * 2
    assert config == within_minutes(tasks, RecordingConfig(episodes=40), minutes=10, workers=2), "no clock decides"


def test_enough_minutes_change_nothing(tasks):
    config = RecordingConfig(episodes=3)
    assert within_minutes(tasks, config, minutes=60, workers=2) == config


def test_every_task_keeps_an_episode(tasks):
    config = within_minutes(tasks, RecordingConfig(counts={CHEAP: 500, DEAR: 2}), minutes=2.2, workers=1)
    assert config.task_settings(tasks[1])["episodes"] == 1
    assert config.task_settings(tasks[0])["episodes"] < 500


def test_too_few_minutes_name_what_does_not_fit(tasks):
    with pytest.raises(BudgetTooSmall, match=rf"0\.5 minutes are too few.*these alone take longer: {DEAR} \(80 s\)"):
        within_minutes(tasks, RecordingConfig(), minutes=0.5, workers=2)
    with pytest.raises(BudgetTooSmall, match=rf"these take most: {DEAR} \(80 s\), {CHEAP} \(10 s\); leave them out"):
        within_minutes(tasks, RecordingConfig(), minutes=1.2, workers=1)
