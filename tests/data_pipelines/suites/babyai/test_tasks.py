"""Names of levels and of tasks."""

import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.babyai import tasks


@pytest.mark.parametrize(
    ("level", "name"),
    [
        ("BabyAI-GoToRedBall-v0", "babyai.go_to_red_ball"),
        ("BabyAI-PutNextS5N2-v0", "babyai.put_next_s5n2"),
        ("BabyAI-GoToObjS6-v1", "babyai.go_to_obj_s6"),
    ],
)
def test_a_level_gives_its_name_to_a_task(level, name):
    assert catalog.get(name).origin == level


def test_no_level_comes_twice():
    levels = [task.origin for task in tasks.SUITE.tasks]
    assert len(levels) == len(set(levels)) == len({task.name for task in tasks.SUITE.tasks})


@pytest.mark.parametrize("task", ["put_next_s5n2carrying", "put_next_s7n4carrying"])
def test_the_bot_puts_down_first_what_it_carries(task):
    task = catalog.get(f"babyai.{task}")
    env, expert = task.make_environment(), task.make_expert()
    for seed in range(4):
        run_episode(env, expert, seed)
        assert env.success


def test_two_levels_have_no_demonstrator():
    assert sorted(task.name for task in tasks.SUITE.tasks if not task.demonstrated) == [
        "babyai.open_doors_order_n2debug",
        "babyai.open_doors_order_n4debug",
    ]


@pytest.mark.parametrize("task", ["go_to_imp_unlock", "key_in_box", "unlock_to_unlock"])
def test_a_search_does_what_the_bot_does_not(task):
    task = catalog.get(f"babyai.{task}")
    env, expert = task.make_environment(), task.make_expert()
    for seed in range(2):
        run_episode(env, expert, seed)
        assert env.success
