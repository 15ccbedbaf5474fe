"""The script that plays Breakout."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog


@pytest.mark.skipif(not catalog.get("atari.breakout").installed, reason="ale-py is not installed")
def test_breakout_is_played():
    task = catalog.get("atari.breakout")
    episode = run_episode(task.make_environment(), task.make_expert(), 0, limit=250)
    assert episode.episode_return > 3
