"""Levels can be solved, are no two alike, and follow from their seed."""

import pytest

from data_pipelines.suites.sokoban.generator import Generator, Puzzle, generate
from data_pipelines.suites.sokoban.rules import State, solved, walkable

SMALL = Generator(size=7, boxes=2)


def pushed(puzzle: Puzzle) -> State:
    """The state after all pushes, each of which the rules allow."""
    level, state = puzzle.level, puzzle.level.start
    for cell, offset in puzzle.pushes:
        free = level.floor & ~state.boxes
        assert walkable(level, state) >> (cell - offset) & 1, "the player reaches the place behind the box"
        assert state.boxes >> cell & 1
        assert free >> (cell + offset) & 1
        state = State(cell, state.boxes ^ (1 << cell) ^ (1 << (cell + offset)))
    return state


@pytest.mark.parametrize("settings", [SMALL, Generator(size=10, boxes=4, pulls=300)])
def test_reverse_play_backwards_solves_the_level(settings):
    for seed in range(4):
        puzzle = generate(settings, seed)
        level = puzzle.level
        assert solved(level, pushed(puzzle))
        assert not level.start.boxes & level.targets, "no box is at home at the start"
        assert level.targets.bit_count() == settings.boxes
        assert (level.height, level.width) == (settings.size, settings.size)


def test_a_seed_names_a_level():
    levels = [generate(SMALL, seed).level.to_text() for seed in range(6)]
    assert levels == [generate(SMALL, seed).level.to_text() for seed in range(6)]
    assert len(set(levels)) == 6


def test_a_seed_keeps_its_level():
    """Recorded data are named by seeds: another level here needs other names."""
    rows = ["#######", "# @#  #", "# $ $ #", "#  .. #", "#  # ##", "#######", "#######"]
    assert generate(SMALL, 2).level.to_text().split("\n") == rows


def test_a_room_that_is_too_small():
    with pytest.raises(ValueError, match="more room or fewer boxes"):
        generate(Generator(size=4, boxes=3, rooms=5), 0)
