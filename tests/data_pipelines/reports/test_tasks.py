"""The list of Table 1's tasks: names that exist, counts that are those of the list."""

import json
import pathlib
import re

import pytest
import tensorflow_datasets as tfds
from dm_control import suite

from data_pipelines.mixtures import table1_names
from data_pipelines.mixtures.named import MixtureError
from data_pipelines.mixtures.table1 import ROWS
from data_pipelines.reports.task_counts import OTHER
from data_pipelines.reports.tasks import list_tasks
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source, Suite, Task


def test_names_are_those_of_the_installed_suites():
    assert sorted(table1_names.DM_CONTROL) == sorted("_".join(task).lower() for task in suite.ALL_TASKS)
    assert sorted(table1_names.DM_CONTROL_PIXELS) == sorted("_".join(task).lower() for task in suite.BENCHMARKING)


def test_tfds_builders_hold_games_and_levels_that_are_listed():
    root = pathlib.Path(tfds.__file__).parent / "rl_unplugged"
    levels = {path.name.removeprefix("rlu_dmlab_") for path in root.glob("rlu_dmlab_*") if path.is_dir()}
    assert {level.replace("arena01", "arena_01") for level in levels} <= set(table1_names.DMLAB)
    source = (root / "atari_utils.py").read_text()
    games = [line.strip(" ',") for line in source.partition("_GAMES = [")[2].partition("]")[0].splitlines()]
    listed = {name.replace("_", "") for name in (*table1_names.ATARI, *table1_names.ATARI_EXTENDED)}
    assert {game.lower() for game in games if game} <= listed


def test_counts_of_the_rows(recorded_data, tmp_path):
    (tmp_path / "experts").mkdir()
    for name in ("metaworld.drawer_close", "metaworld.assembly", "of.a_stranger"):
        (tmp_path / "experts" / f"{name}.json").write_text("{}")
    listing = list_tasks(recorded_data, results=tmp_path)
    rows = {count.row: count for count in listing.rows}
    assert list(rows) == [row.name for row in ROWS]
    assert [(row.paper, row.named) for row in (rows["ALE Atari"], rows["Meta-World"])] == [(51, 51), (45, 45)]
    assert (rows["Modular RL"].named, rows["Procgen Benchmark"].named) == (38, 16)
    assert rows["Playroom"].named == 0
    meta_world = rows["Meta-World"]
    assert (meta_world.runnable, meta_world.recordable, meta_world.measured, meta_world.present) == (45, 45, 1, 1)
    assert sum(task.weight for task in listing.tasks) == pytest.approx(100)
    for task in listing.tasks:
        assert (task.row == OTHER) == (not any(row.holds(task.name) or task.name in row.held_out for row in ROWS))
    assert len({task.name for task in listing.tasks}) == len(listing.tasks)


TWICE = Suite(
    "twice", episode_steps=7,
    tasks=(
        Task("twice.a", Source.ENVIRONMENT, "", "", "json", make_environment=dict, make_expert=dict),
        Task("twice.c", Source.ENVIRONMENT, "", "", "json", make_environment=dict),
        Task("twice.b", Source.ENVIRONMENT, "", "", "no_such_simulator", make_environment=dict, make_expert=dict),
    ),
)  # fmt: skip


def test_counts_of_the_suites(monkeypatch, tmp_path):
    """Other modes of a suite are names, and do not count; what ran is what was tried."""
    easy = Suite("easy", (Task("easy.a", Source.ENVIRONMENT, "", "", "json"),), episode_steps=7, counts=False)
    monkeypatch.setattr(catalog, "SUITES", (TWICE, easy))
    catalog.catalog.cache_clear()
    rate = {"ok": True, "steps_per_second": 10.0, "frames_per_second": 4.0}
    tried = {"twice.a": rate, "twice.c": {**rate, "steps_per_second": 20.0}, "twice.b": {"ok": False}}
    (tmp_path / "worlds.json").write_text(json.dumps({"tasks": tried}))
    try:
        listing = list_tasks(results=tmp_path)
        text = listing.table(everything=False)
    finally:
        catalog.catalog.cache_clear()
    twice, other = listing.suites
    assert (twice.names, twice.counted, twice.runnable, twice.ran) == (3, 3, 2, 2)
    assert (twice.demonstrated, twice.measured, twice.steps_per_second, twice.frames_per_second) == (2, 0, 15.0, 4.0)
    assert (other.names, other.counted, other.ran, other.steps_per_second) == (1, 0, 0, None)
    assert listing.to_dict()["sums"]["names"] == 4
    assert (
        "| twice | 3 | 3 | 2 | 2 | 0 | 15 | 4 |\n| easy | 1 | 0 | 0 | 0 | 0 |  |  |\n| all | 4 | 3 |" in listing.sums()
    )
    assert "babyai.*'; * = without --tasks too): 1 task\n  twice, 1: a\n" in text
    assert "nobody demonstrates them: 1 task\n  twice, 1: c\n" in text
    assert "Need a simulator or a source that is not installed: 1 task\n  twice, 1: the module of twice.b\n" in text
    assert re.search(r"\n\| all \| 596 \| \d+ \|", listing.sums())


def test_what_is_known_of_a_task(recorded_data):
    tasks = {task.name: task for task in list_tasks(recorded_data).tasks}
    drawer, humanoid = tasks["metaworld.drawer_close"], tasks["dm_control.humanoid_run"]
    assert (drawer.domain, drawer.default, drawer.installed, drawer.present) == ("metaworld", True, True, True)
    assert (drawer.environment, drawer.expert) == ("Meta-World drawer-close-v3", "Meta-World's scripted policy")
    assert (humanoid.recordable, humanoid.present, humanoid.weight, humanoid.expert) == (False, False, 0, "D4PG")
    assert tasks["atari.boxing"].held_out
    assert tasks["dm_control.cartpole_swingup"].held_out
    assert tasks["vqa.easy_vqa"].row == OTHER


def test_one_row_and_none():
    assert {task.row for task in list_tasks(row="ale_atari").tasks} == {"ALE Atari"}
    assert json.loads(json.dumps(list_tasks(row="Playroom").to_dict()))["rows"][0]["paper"] == 1
    with pytest.raises(MixtureError, match="no row 'Ataari' of Table 1"):
        list_tasks(row="Ataari")


def test_the_table_leads_with_what_is_here(recorded_data):
    listing = list_tasks(recorded_data)
    lines = listing.table(everything=False).splitlines()
    present = [task.name for task in listing.tasks if task.present]
    assert [line[2:].split()[0] for line in lines[1 : 1 + len(present)]] == present
    assert lines[2 + len(present)].startswith("Can be recorded here")
    assert " *door_close " in "".join(lines)
    assert sum(line.startswith("DM Control Suite  ") for line in lines) == 1
    everything = listing.table().splitlines()
    assert all(sum(task.name == line[2:].split(" ")[0] for line in everything) == 1 for task in listing.tasks)
    assert "dmlab.lt_chasm" not in "".join(lines)


def test_a_task_from_outside_says_where_it_is_played(outside_data):
    pole = next(task for task in list_tasks(outside_data).tasks if task.name == "gymnasium.cartpole_v1")
    assert (pole.environment, pole.source) == ("gymnasium:CartPole-v1", "environment")
    assert (pole.present, pole.row) == (True, OTHER)
