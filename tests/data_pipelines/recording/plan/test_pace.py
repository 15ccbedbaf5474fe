"""What is left, first as it was foretold, then as fast as it goes."""

import time

import pytest

from data_pipelines.recording.job import Job
from data_pipelines.recording.plan.forecast import WORKER_STARTS
from data_pipelines.recording.plan.pace import Pace

CHEAP = "classic_control.cart_pole"


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_time_left(cheap_and_dear, clock):
    jobs = {(CHEAP, chunk): Job(CHEAP, chunk, 100, "", "", bar=None, random_episodes=0) for chunk in range(4)}
    each = 3 + 100 * 2  # foretold of a part
    pace = Pace(jobs, workers=2)
    assert pace.seconds_left(0) == 2 * each + WORKER_STARTS
    pace.hear((CHEAP, 0), 0.0)
    for second, share in ((300, 0.5), (600, 1.0)):
        clock[0] = 1000.0 + second
        pace.hear((CHEAP, 0), share)
        pace.hear((CHEAP, 1), share)
    # Three times as slow as foretold, which 30 s of each worker still speak against.
    assert pace.seconds_left(600) == pytest.approx(each * (1200 + 60) / (2 * each + 60))
    pace.drop(CHEAP)
    assert pace.seconds_left(601) == 0
    assert Pace({}, 2).seconds_left(1) is None
