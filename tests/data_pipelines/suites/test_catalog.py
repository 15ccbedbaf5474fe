"""Names, choices and what the list says."""

import pathlib
import re

import pytest

from data_pipelines.suites import catalog

NAMES = pathlib.Path(__file__).parents[1] / "goldens" / "task_names.txt"


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown task 'metaworld\.drawer_clos'.*metaworld\.drawer_close"):
        catalog.make("metaworld.drawer_clos")


def test_names_are_legal_for_seqio_and_unique():
    assert all(re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", name) for name in catalog.catalog())


def test_names_never_change():
    """A name's checksum seeds its stream, and data, runs and mixtures know tasks by name. New ones join the list."""
    pinned = set(NAMES.read_text().split())
    ours = {task.name for suite in catalog.SUITES for task in suite.tasks}
    assert (sorted(pinned - ours), sorted(ours - pinned)) == ([], [])


def test_all_is_wide_and_leaves_the_papers_hold_outs_to_be_named():
    names = {task.name for task in catalog.select("all")}
    held_out = {"dm_control.cartpole_swingup", "metaworld.assembly"}
    assert not names & held_out
    assert sum(name.startswith("metaworld.") for name in names) == 49
    assert sum(name.startswith("babyai.") for name in names) > 80
    assert {task.name for task in catalog.select(["all", *held_out])} == names | held_out
    assert {task.name for task in catalog.select("default")} <= names


def test_nothing_chosen_is_an_error():
    with pytest.raises(ValueError, match="no tasks chosen"):
        catalog.select([])


def test_text_has_no_environment():
    with pytest.raises(ValueError, match="no environment"):
        catalog.make("text.python_docs")


@pytest.mark.parametrize("name", ["metaworld.pick_place", "babyai.boss_level", "dm_control.reacher_hard"])
def test_tasks_beyond_the_default_run_too(name):
    env = catalog.make(name)
    env.reset_to(0)
    env.close()


def test_a_glob_means_all_tasks_that_can_be_recorded():
    names = {task.name for task in catalog.select("metaworld.*")}
    assert len(names) == 49
    assert "metaworld.assembly" not in names
    assert [task.name for task in catalog.select(["metaworld.window_*", "metaworld.window_open"])] == [
        "metaworld.window_close",
        "metaworld.window_open",
    ]


@pytest.mark.parametrize(
    ("glob", "message"),
    [
        ("metawrld.*", r"no task matches 'metawrld\.\*'; did you mean metaworld\.\*\?"),
        ("metaworld.draw_*", r"no task matches 'metaworld\.draw_\*'; did you mean metaworld\.drawer_open, .*\?"),
        ("metaworld.ass*", "is held out: name a task to record it, such as metaworld.assembly"),
    ],
)
def test_globs_that_mean_nothing(glob, message):
    with pytest.raises(ValueError, match=message):
        catalog.select(glob)


def test_what_a_glob_leaves_out_is_counted(caplog):
    catalog.select(["babyai.*", "metaworld.*"])
    assert caplog.messages == [
        "babyai.*: 94 of 96 tasks; left out: 2 without a demonstrator",
        "metaworld.*: 49 of 50 tasks; left out: 1 held out",
    ]
    caplog.clear()
    catalog.select(["all", "babyai.go_to_*", "metaworld.assembly"])
    assert caplog.messages == []


def test_a_process_gets_opengl_only_for_observations_that_are_drawn(monkeypatch):
    monkeypatch.setenv("GATO_RENDERER", "osmesa")
    state, pixels = "dm_control.reacher_easy", "dm_control_pixels.reacher_easy"
    assert catalog.renderer_for([state, "babyai.go_to_obj"]) == "disabled"
    assert catalog.renderer_for([state, pixels]) == "osmesa"
    assert catalog.renderer_for(["my_domain.corridor"], outside={"my_domain.corridor": {}}) == "osmesa"
