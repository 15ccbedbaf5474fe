"""Which games are in which suite, compared with what ale-py has."""

import pathlib

import pytest

from data_pipelines.suites.atari.planning import GAMES
from data_pipelines.suites.atari.tasks import SUITE
from data_pipelines.suites.atari_extended.tasks import SUITE as EXTENDED
from data_pipelines.suites.atari_more.tasks import SUITE as MORE
from data_pipelines.suites.frozen_scores import frozen_scores

SUITES = (SUITE, EXTENDED, MORE)


def games(suite):
    return [task.name.partition(".")[2] for task in suite.tasks]


def test_counts():
    assert [len(suite.tasks) for suite in SUITES] == [57, 28, 19]
    demonstrated = [task.name for task in SUITE.tasks if task.demonstrated]
    assert demonstrated == sorted(["atari.breakout", *(f"atari.{game}" for game in GAMES)])
    assert [task.name for task in SUITE.tasks if task.held_out] == ["atari.boxing"]


def test_planned_games_are_kept_where_they_reach_what_people_score():
    human = {name: score.human for name, score in frozen_scores().tasks.items()}
    assert {game: plan.bar for game, plan in GAMES.items()} == {game: human[f"atari.{game}"] for game in GAMES}
    krull = next(task for task in SUITE.tasks if task.name == "atari.krull")
    assert krull.settings["planner"]["sampling"]["sequences"] == GAMES["krull"].plan.sampling.sequences


def test_every_rom_that_ale_py_plays_is_a_task_of_one_suite():
    environment = pytest.importorskip("data_pipelines.suites.atari.environment", reason="ale-py is not installed")
    there = {path.stem for path in pathlib.Path(environment.roms.__file__).parent.glob("*.bin")}
    named = [game for suite in SUITES for game in games(suite)]
    assert sorted((*named, *environment.REFUSED)) == sorted(there)


@pytest.mark.slow
def test_extended_games_are_those_with_the_most_modes():
    environment = pytest.importorskip("data_pipelines.suites.atari.environment", reason="ale-py is not installed")
    variants = {}
    for game in (*games(EXTENDED), *games(MORE)):
        ale = environment._console("", game)
        variants[game] = len(ale.getAvailableModes()) * len(ale.getAvailableDifficulties())
    least = min(variants[game] for game in games(EXTENDED))
    assert least >= max(variants[game] for game in games(MORE))
