"""Suites of gymnasium ids list what the installed libraries register: once what differs in version or reward alone."""

import importlib
from collections.abc import Iterable

import gymnasium
import pytest
from gymnasium.envs.registration import EnvSpec

from data_pipelines.suites import catalog


def origins(domain: str) -> set[str]:
    tasks = catalog.suite_of(domain).tasks
    found = {task.origin for task in tasks}
    assert len(found) == len(tasks)
    return found


def registered(library: str, module: str, prefix: str = "") -> list[EnvSpec]:
    """What a module registered when its library was imported."""
    importlib.import_module(library)
    return [
        spec
        for spec in gymnasium.registry.values()
        if str(spec.entry_point).startswith(f"{module}.") and spec.name.startswith(prefix)
    ]


def newest(specs: Iterable[EnvSpec]) -> dict[str, EnvSpec]:
    """By name, the newest version."""
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: spec.version)}


def ids(specs: Iterable[EnvSpec]) -> set[str]:
    return {spec.id for spec in specs}


def test_babyai():
    specs = registered("minigrid", "minigrid", "BabyAI-")
    assert origins("babyai") == ids(specs)
    assert len(specs) == 96


def test_minigrid():
    specs = registered("minigrid", "minigrid", "MiniGrid-")
    assert len(specs) == 82
    latest = ids(newest(specs).values())
    collapsing = {name for name in latest if "-WFC-" in name}
    assert origins("minigrid") == latest - collapsing
    assert (len(latest), len(collapsing)) == (77, 6)
    config = importlib.import_module("minigrid.envs.wfc.config")
    assert not config.PATTERN_PATH.exists(), "the wheel has the pictures now: take the WFC levels in"


@pytest.mark.parametrize(
    ("domain", "module", "count"),
    [("classic_control", "gymnasium.envs.classic_control", 5), ("gymnasium_mujoco", "gymnasium.envs.mujoco", 11)],
)
def test_gymnasiums_own(domain, module, count):
    latest = ids(newest(registered("gymnasium", module)).values())
    assert origins(domain) == latest
    assert len(latest) == count


def test_gymnasium_robotics():
    pytest.importorskip("gymnasium_robotics", reason="gymnasium-robotics is not installed")
    specs = [
        spec
        for spec in registered("gymnasium_robotics", "gymnasium_robotics.envs")
        if not str(spec.entry_point).startswith("gymnasium_robotics.envs.mujoco.")  # for the old mujoco-py
    ]
    rewards = ("Dense", "Sparse")
    latest = [spec for name, spec in newest(specs).items() if not name.endswith(rewards)]
    worlds: dict[str, EnvSpec] = {}
    for spec in sorted(latest, key=lambda spec: len(spec.name), reverse=True):
        worlds[f"{spec.entry_point} {sorted(spec.kwargs.items(), key=str)}"] = spec  # of aliases the shorter name
    assert origins("gymnasium_robotics") == ids(worlds.values())
    assert (len(latest), len(worlds)) == (57, 54)
