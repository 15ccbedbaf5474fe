"""Recordings of the first nine demonstrated tasks of dm_control are those that they were: see `make_plans.py`."""

import importlib.util
import json
import pathlib

import numpy as np
import pytest

from data_pipelines.suites import catalog
from data_pipelines.suites.planners.settings import Mppi


def _load(name):
    """Test directories are no packages, so what lies here is loaded by its path."""
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pytest.importorskip("dm_control", reason="dm_control is not installed")
make = _load("make_plans")
PLANS = json.loads(make.FILE.read_text())
PLANNED_ANEW = ("dm_control.ball_in_cup_catch", "dm_control.cartpole_swingup")
"""Planned faster since, by other settings, which their recordings name."""


@pytest.mark.parametrize("name", PLANS)
def test_the_same_seed_gives_the_same_episode(name):
    pinned = PLANS[name]
    expert = catalog.get(name).make_expert()
    expert._settings = Mppi(**pinned["settings"])
    for key, values in make.episode_of(name, expert).items():
        expected = np.asarray(pinned["episode"][key]).reshape(values.shape)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", PLANS)
def test_the_same_episodes_are_recorded(name):
    assert make.recorded(name) == PLANS[name]["recorded"]
    planned_alike = catalog.get(name).make_expert()._settings == Mppi(**PLANS[name]["settings"])
    assert planned_alike == (name not in PLANNED_ANEW)
