"""Mazes are solved."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog

pytest.importorskip("procgen", reason="procgen2 is not installed")


@pytest.mark.parametrize(("name", "seed"), [("procgen.maze", 1), ("procgen.heist", 4), ("procgen_easy.maze", 3)])
def test_the_search_completes_a_level(name, seed):
    task = catalog.get(name)
    env = task.make_environment()
    episode = run_episode(env, task.make_expert(), seed)
    env.close()
    assert env.success
    assert episode.episode_return >= task.bar


def test_only_games_that_a_search_solves_can_be_recorded():
    demonstrated = [
        name for name, task in catalog.catalog().items() if name.startswith("procgen") and task.demonstrated
    ]
    assert demonstrated == ["procgen.heist", "procgen.maze", "procgen_easy.heist", "procgen_easy.maze"]
