"""ViZDoom: scenarios of the wheel, buttons, and an end."""

import contextlib
import pathlib

import numpy as np
import pytest

from data_pipelines.suites import catalog
from data_pipelines.suites.vizdoom import tasks

vizdoom = pytest.importorskip("vizdoom", reason="vizdoom is not installed")


def test_the_wheel_has_every_scenario():
    there = {path.stem for path in pathlib.Path(vizdoom.scenarios_path).glob("*.cfg")}
    assert set(tasks.SCENARIOS) <= there


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The working directory in which the environment is made."""
    return tmp_path_factory.mktemp("working")


@pytest.fixture(scope="module")
def env(folder):
    with contextlib.chdir(folder):
        environment = catalog.make("vizdoom.basic")
    yield environment
    environment.close()


def test_buttons(env):
    assert env.button_names == ["MOVE_LEFT", "MOVE_RIGHT", "ATTACK"]
    env.reset_to(0)
    left = env.step(np.array([1, 0, 0], np.int32)).observation["frame"]
    env.reset_to(0)
    right = env.step(np.array([0, 1, 0], np.int32)).observation["frame"]
    assert (left != right).any()


def test_an_episode_ends_when_its_time_is_over(env):
    timestep, steps = env.reset_to(3), 0
    while not timestep.last():
        timestep, steps = env.step(np.zeros(3, np.int32)), steps + 1
    assert steps == env.spec.max_episode_steps
    assert timestep.discount == 1.0
    assert timestep.observation["frame"].any()


def test_a_scenario_without_a_limit_is_cut():
    env = catalog.make("vizdoom.take_cover")
    assert env.spec.max_episode_steps == 525
    env.close()


def test_the_engine_leaves_nothing_behind(env, folder):
    other = catalog.make("vizdoom.basic")
    place = other._folder
    assert list(place.iterdir())
    other.close()
    assert not place.exists()
    assert not list(folder.iterdir())
