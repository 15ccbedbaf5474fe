"""Mazes are searched, other games are planned."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.procgen.planning import GAMES

pytest.importorskip("procgen", reason="procgen2 is not installed")


@pytest.mark.parametrize(
    ("name", "seed"),
    [("procgen.maze", 1), ("procgen.heist", 4), ("procgen_easy.maze", 3), ("procgen.ninja", 3), ("procgen.leaper", 3)],
)
def test_a_level_is_completed(name, seed):
    task = catalog.get(name)
    env = task.make_environment()
    episode = run_episode(env, task.make_expert(), seed)
    env.close()
    assert env.success
    assert episode.episode_return >= task.bar


def test_the_same_seed_plays_the_same_episode():
    task = catalog.get("procgen.coinrun")
    env = task.make_environment()
    first, again = (run_episode(env, task.make_expert(), 4, limit=40) for _ in range(2))
    env.close()
    assert [int(label) for label in first.labels] == [int(label) for label in again.labels]


def test_what_is_demonstrated():
    def demonstrated(domain):
        return {
            task.name.partition(".")[2]: task.expert for task in catalog.suite_of(domain).tasks if task.demonstrated
        }

    assert demonstrated("procgen") == demonstrated("procgen_easy")
    assert set(demonstrated("procgen")) == {*GAMES, "heist", "maze"}
    assert catalog.get("procgen.heist").expert == "breadth-first over saved states"
    assert catalog.get("procgen.ninja").settings["planner"]["right"] == GAMES["ninja"].plan.right
