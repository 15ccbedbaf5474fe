"""Costs made by hand, so that what is foretold can be reckoned in the head."""

import pytest

from data_pipelines.suites import costs
from data_pipelines.suites.costs import Cost

CHEAP, DEAR = "classic_control.cart_pole", "dm_control.cartpole_balance"


@pytest.fixture
def cheap_and_dear(monkeypatch):
    """A task that takes little and one that takes much, and no others."""
    made = {
        CHEAP: Cost(attempt=1.0, writing=1.0, random=0.5, opening=3.0, bytes=1e6, steps=100.0, measured=True),
        DEAR: Cost(
            attempt=30.0, kept=0.5, opening=4.0, bytes=2e6, steps=1000.0, measured=True, returns=(50, 100, 150, 200)
        ),
    }
    monkeypatch.setattr(costs, "costs", lambda: made)
    return made
