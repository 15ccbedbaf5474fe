"""Planners' settings as data: what recordings and scores say of them, and when they are other settings."""

import dataclasses

import pytest

from benchmarks.experts import digest_of, settings_of
from data_pipelines.recording.config import RecordingConfig
from data_pipelines.suites import catalog
from data_pipelines.suites.base.recorded import PLANNER as PLANNED_BY
from data_pipelines.suites.base.recorded import REGULATOR
from data_pipelines.suites.dm_control import planned, tasks
from data_pipelines.suites.dm_control.factors import Factors
from data_pipelines.suites.dm_control.perturbed_tasks import perturbed_suite
from data_pipelines.suites.gymnasium_mujoco import planned as gymnasium_planned
from data_pipelines.suites.gymnasium_mujoco import tasks as gymnasium_tasks
from data_pipelines.suites.planners.settings import PLANNER, Mppi, Regulator, described, digest


def test_what_stands_at_its_default_is_not_said():
    assert described(Mppi(horizon=1.0, samples=16)) == {PLANNER: {"horizon": 1.0, "samples": 16}}
    assert described(Regulator(state_costs=(1.0, 2.0))) == {PLANNER: {"state_costs": [1.0, 2.0]}}
    task = planned.PlannedTask(Mppi(horizon=1.0, judged=4), guide="cartpole")
    assert described(task) == {PLANNER: {"settings": {"horizon": 1.0, "judged": 4}, "guide": "cartpole"}}


def test_defaults_stay_because_settings_do_not_say_them():
    """Another default would change data and scores that do not say it."""
    assert dataclasses.asdict(Mppi(horizon=1.0)) == {
        "horizon": 1.0, "knots": 6, "samples": 32, "sigma": 0.4, "fine": 1.0, "replan": 2, "temperature": 0.1,
        "timestep": 0.0, "iterations": 1, "warmup": 0, "hold": False, "judged": 10,
    }  # fmt: skip
    assert dataclasses.asdict(Regulator()) == {"state_costs": (), "control_cost": 1.0}


def test_settings_with_which_data_was_recorded_before_stay_unnamed():
    planner = Mppi(horizon=1.0)
    assert described(planner, digest(planner)) == {}
    changed = dataclasses.replace(planner, replan=4)
    assert described(changed, digest(planner)) == {PLANNER: {"horizon": 1.0, "replan": 4}}


@pytest.mark.parametrize("form", ["dm_control", "dm_control_pixels", "dm_control_random_small"])
def test_other_settings_are_other_data_and_another_score(form, monkeypatch):
    before = _task(form)
    other = planned.PlannedTask(Mppi(horizon=0.5), "cartpole_reward")
    monkeypatch.setitem(planned.TASKS, "cartpole_balance", other)
    name = f"{form}.cartpole_balance"
    after = tasks.suite_task(name, "cartpole_balance", lambda: None, recorded=tasks.DEMONSTRATED["cartpole_balance"])
    assert after.settings[PLANNER] == {"settings": {"horizon": 0.5}, "replica": "cartpole_reward"}
    assert PLANNER not in before.settings
    assert RecordingConfig().task_settings(after)[PLANNER] == after.settings[PLANNER]
    assert digest_of(settings_of(after, 20), {}) != digest_of(settings_of(before, 20), {})


def test_a_perturbed_body_names_its_factors_and_its_planner(monkeypatch):
    monkeypatch.setitem(planned.TASKS, "cartpole_balance", planned.PlannedTask(Mppi(horizon=0.5)))
    suite = perturbed_suite("dm_control_random_large", Factors(smaller=(0.6, 0.8), larger=(1.2, 1.4)))
    task = next(task for task in suite.tasks if task.name.endswith(".cartpole_balance"))
    assert task.settings == {
        "factors": {"smaller": [0.6, 0.8], "larger": [1.2, 1.4]},
        PLANNER: {"settings": {"horizon": 0.5}},
    }


def test_every_planner_names_functions_that_are_there():
    pytest.importorskip("dm_control")
    from data_pipelines.suites.dm_control import guides, replicas

    for task in planned.TASKS.values():
        assert not task.replica or callable(getattr(replicas, task.replica))
        assert not task.guide or callable(getattr(guides, task.guide))


def test_what_is_demonstrated_is_planned():
    planners = {name for name, how in tasks.DEMONSTRATED.items() if how.expert in (PLANNED_BY, REGULATOR)}
    assert planners == {*planned.TASKS, *planned.REGULATED}
    planners = {name for name, how in gymnasium_tasks.DEMONSTRATED.items() if how.expert in (PLANNED_BY, REGULATOR)}
    assert planners == set(gymnasium_planned.PLANNED)


def _task(form):
    return catalog.get(f"{form}.cartpole_balance")
