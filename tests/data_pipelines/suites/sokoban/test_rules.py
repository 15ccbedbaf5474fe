"""Rules and rewards, by hand."""

import pytest

from data_pipelines.suites.sokoban.rules import (
    DOWN,
    LEFT,
    RIGHT,
    STAY,
    UP,
    Level,
    members,
    move,
    reward,
    solved,
    walkable,
)

ROOM = """\
#######
#  .  #
#@$ * #
#     #
#######"""


def play(text, actions):
    """The states and rewards."""
    level = Level.from_text(text)
    states, rewards = [level.start], []
    for action in actions:
        states.append(move(level, states[-1], action))
        rewards.append(reward(level, states[-2], states[-1]))
    return level, states, rewards


def test_text_comes_back():
    assert Level.from_text(ROOM).to_text() == ROOM


def test_a_push_walls_and_two_boxes_in_a_row():
    level, states, rewards = play(ROOM, [STAY, LEFT, RIGHT, RIGHT])
    assert states[0] == states[1] == states[2], "to stay, and to walk into a wall, changes nothing"
    assert level.to_text(states[3]).split("\n")[2] == "# @$* #"
    assert states[4] == states[3], "two boxes are too heavy"
    assert rewards == [-0.1] * 4


def test_rewards_of_the_paper():
    actions = [DOWN, RIGHT, RIGHT, RIGHT, RIGHT, UP, LEFT]
    level, states, rewards = play(ROOM, actions)
    assert level.to_text(states[-1]).split("\n")[2] == "# $$+ #", "the box left its target"
    assert rewards == pytest.approx([-0.1] * 6 + [-1.1])
    assert not solved(level, states[-1])


def test_the_last_box_ends_it():
    level, states, rewards = play("#####\n#@$.#\n#####", [RIGHT])
    assert rewards == pytest.approx([-0.1 + 1 + 10])
    assert solved(level, states[-1])
    assert level.to_text(states[-1]) == "#####\n# @*#\n#####"


def test_where_the_player_can_walk():
    level = Level.from_text("######\n#@ $.#\n######")
    assert list(members(walkable(level, level.start))) == [7, 8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@$.", "enclosed"),
        ("####\n#@.#\n####", "as many boxes"),
        ("#####\n#@@ #\n#####", "one player"),
        ("#####\n#?@ #\n#####", "signs"),
    ],
)
def test_no_levels(text, message):
    with pytest.raises(ValueError, match=message):
        Level.from_text(text)
