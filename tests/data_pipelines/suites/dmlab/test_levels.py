"""What can be said of DeepMind Lab without it: names, specs and actions. The environment itself was never run."""

import re

import numpy as np
import pytest

from data_pipelines.mixtures.table1_names import DMLAB
from data_pipelines.suites import catalog
from data_pipelines.suites.dmlab import levels, tasks


def test_every_public_level_is_a_task_that_says_what_is_missing():
    assert [task.name for task in tasks.SUITE.tasks] == [f"dmlab.{level}" for level in DMLAB]
    task = catalog.get("dmlab.lt_chasm")
    if task.installed:
        pytest.skip("deepmind_lab is installed here")
    with pytest.raises(ValueError, match=r"needs the module 'deepmind_lab'.*google-deepmind/lab"):
        catalog.make("dmlab.lt_chasm")


@pytest.mark.parametrize(
    ("level", "path"),
    [
        ("explore_object_rewards_few", "contributed/dmlab30/explore_object_rewards_few"),
        ("psychlab_visual_search", "contributed/dmlab30/psychlab_visual_search"),
        ("psychlab_harlow", "contributed/psychlab/harlow"),
        ("psychlab_landoltc_identification", "contributed/psychlab/landoltC_identification"),
        ("psychlab_memory_what_then_where_train", "contributed/psychlab/memory_suite_01/what_then_where_train"),
        ("psychlab_visuospatial_pursuit", "contributed/psychlab/visuospatial_suite/pursuit"),
        ("psychlab_visuospatial_visual_match", "contributed/psychlab/visuospatial_suite/visual_match"),
        ("slow_mapping_test", "contributed/fast_mapping/slow_mapping_test"),
        ("nav_maze_static_01", "nav_maze_static_01"),
    ],
)
def test_scripts_of_levels(level, path):
    assert level in DMLAB
    assert levels.level_path(level) == path


def test_levels_have_scripts_of_their_own():
    paths = {levels.level_path(level) for level in DMLAB}
    assert len(paths) == len(DMLAB)
    # DMLab-30, two of whose levels have scripts for training and for tests.
    assert sum(path.startswith("contributed/dmlab30/") for path in paths) == 32
    assert all(re.fullmatch(r"[\w/]+", path) for path in paths)


def test_actions_are_inside_what_the_simulator_documents():
    high = np.array([512, 512, 1, 1, 1, 1, 1])
    low = np.array([-512, -512, -1, -1, 0, 0, 0])
    actions = np.array(list(levels.ACTIONS.values()))
    assert actions.shape == (9, 7)
    assert ((low <= actions) & (actions <= high)).all()
    assert len({tuple(action) for action in actions}) == 9


def test_an_instruction_is_observed_where_there_is_one():
    spec = levels.task_spec("dmlab.language_execute_random_task", "language_execute_random_task")
    assert [item.key for item in spec.observation] == ["frame", "instruction"]
    assert spec.action.num_values == len(levels.ACTIONS)
    assert [item.key for item in levels.task_spec("dmlab.lt_chasm", "lt_chasm").observation] == ["frame"]
