"""Plans are followed by the rules to the end, and what cannot be solved is said to be so."""

import pytest

from data_pipelines.suites.planners.search import Limits, NoPlan
from data_pipelines.suites.sokoban.generator import Generator, generate
from data_pipelines.suites.sokoban.rules import UP, Level, move, solved
from data_pipelines.suites.sokoban.solver import solve


def play(level, actions):
    state = level.start
    for action in actions:
        state = move(level, state, action)
    return state


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("#####\n#@$.#\n#####", 1),
        # Round the wall to above the box: four steps and the push.
        ("######\n#    #\n# #$ #\n#@ . #\n######", 5),
    ],
)
def test_the_shortest_plan_of_small_levels(text, length):
    level = Level.from_text(text)
    actions = solve(level, level.start)
    assert len(actions) == length
    assert solved(level, play(level, actions))


def test_the_box_that_is_in_the_way_goes_first():
    level = Level.from_text("########\n#@$ $..#\n#      #\n########")
    actions = solve(level, level.start)
    assert solved(level, play(level, actions))
    first_push = next(n for n in range(len(actions)) if play(level, actions[: n + 1]).boxes != level.start.boxes)
    assert play(level, actions[: first_push + 1]).boxes == 1 << 10 | 1 << 13


@pytest.mark.parametrize(
    "text",
    [
        "#####\n#$ .#\n# @ #\n#####",  # in a corner
        "######\n#    #\n# $$.#\n# $$@#\n# ...#\n#    #\n######",  # four in a square
    ],
)
def test_what_cannot_be_solved(text):
    level = Level.from_text(text)
    with pytest.raises(NoPlan, match="no plan exists") as raised:
        solve(level, level.start)
    assert raised.value.exhausted


def test_limits_are_kept():
    level = generate(Generator(size=10, boxes=3), 0).level
    with pytest.raises(NoPlan, match="first 2 states"):
        solve(level, level.start, Limits(nodes=2))


def test_generated_levels_are_solved():
    for seed in range(5):
        level = generate(Generator(size=7, boxes=2), seed).level
        assert solved(level, play(level, solve(level, level.start)))


def test_up_is_up():
    level = Level.from_text("####\n#. #\n#$ #\n#@ #\n####")
    assert solve(level, level.start) == [UP]
