"""Episodes of an expert and of the random policy: each once, and few of an expert that is hopeless."""

import math

import pytest

from benchmarks.experts_child import play

SEEDS = range(1000, 1005)
MOST = 500.0
"""What the script of the task gets in every episode."""


def played(hopeless, records=()):
    pytest.importorskip("gymnasium")
    made = list(play("classic_control.cart_pole", SEEDS, 2, hopeless, list(records)))
    return made, [(record["who"], record["seed"]) for record in made]


@pytest.fixture(scope="module")
def given_up():
    return played(MOST + 1)


def test_who_is_far_below_the_bar_is_given_up(given_up):
    records, names = given_up
    assert names == [("expert", 1000), ("expert", 1001), ("expert", 1002), ("random", 1000), ("random", 1001)]
    assert [record["return"] for record in records[:3]] == [MOST] * 3


def test_what_is_there_is_not_played_again(given_up):
    records, _ = given_up
    _, names = played(-math.inf, records)
    assert names == [("expert", 1003), ("expert", 1004)]


def test_one_good_episode_among_the_first_is_enough_to_go_on(given_up):
    records, _ = given_up
    _, names = played(MOST + 1, [records[0] | {"return": MOST + 1}, *records[1:]])
    assert names == [("expert", 1003), ("expert", 1004)]
