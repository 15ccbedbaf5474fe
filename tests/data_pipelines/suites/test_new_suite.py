"""A suite's record is all that the rest of the house asks about its simulator: a new one needs nothing else."""

import dataclasses
import importlib.metadata
import pathlib
import re
import runpy
import subprocess
import sys

import dm_env
import numpy as np
import pytest
import setuptools

import data_pipelines
from data_pipelines.recording import whole_task
from data_pipelines.recording.job import Job
from data_pipelines.recording.plan.forecast import job_seconds
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites import catalog, render
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.base.suite import Source, Suite, Task
from gato_jax.evaluation import evaluate

SUITES = {suite.domain: suite for suite in catalog.SUITES}
ROOT = pathlib.Path(data_pipelines.__file__).parents[1]
FOLDERS = sorted(path.parent.name for path in (ROOT / "data_pipelines" / "suites").glob("*/tasks.py"))


class Lamp(Environment):
    """A world of one light and one switch."""

    _spec = TaskSpec(
        name="lamps.desk",
        observation=(ItemSpec("light", Kind.DISCRETE, (), "int32", num_values=2),),
        action=ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=2),
        max_episode_steps=7,
    )

    def reset_to(self, seed):
        return dm_env.restart({"light": np.int32(seed % 2)})

    def step(self, action):
        return dm_env.transition(0.0, {"light": np.int32(action)})

    def render(self, size):
        return np.zeros((size, size, 3), np.uint8)


LAMPS = Suite(
    domain="lamps",
    # jaxtyping is installed everywhere and in neither list of versions.
    packages=("jaxtyping", "no-such-package"),
    needs_opengl=True,
    episode_steps=7,
    tasks=(
        Task(
            name="lamps.desk", source=Source.ENVIRONMENT, origin="", expert="", requires="jaxtyping",
            make_environment=Lamp, make_expert=RandomPolicy, seconds=3.0, default=True,
        ),
    ),
)  # fmt: skip


@pytest.fixture
def add(monkeypatch):
    """Adds suites to the catalog for one test."""

    def add(*suites: Suite):
        monkeypatch.setattr(catalog, "SUITES", (*catalog.SUITES, *suites))
        catalog.catalog.cache_clear()

    yield add
    monkeypatch.undo()
    catalog.catalog.cache_clear()


@pytest.fixture
def child(monkeypatch):
    """The environment variables that the drawing process would be given; it draws nothing."""
    given = {}

    def run(command, *, env, **_):
        given.update(env)
        return subprocess.CompletedProcess(command, 1, stderr="nothing drawn")

    monkeypatch.setattr(render.subprocess, "run", run)
    monkeypatch.delenv("GATO_RENDERER", raising=False)
    return given


def test_one_entry_in_the_catalog_adds_a_simulator(add, child):
    add(LAMPS)
    assert isinstance(catalog.make("lamps.desk"), Lamp)
    assert LAMPS.tasks[0] in catalog.select("default")
    assert evaluate.split_tasks(["lamps.desk"], None) == (["lamps.desk"], [])
    assert evaluate._cost("lamps.desk") == 7
    assert evaluate.versions()["jaxtyping"] == whole_task.versions()["jaxtyping"]
    assert "no-such-package" not in evaluate.versions()
    assert whole_task.versions()["no-such-package"] == "not installed"
    render.replay("lamps.desk", 0, np.zeros(1, np.int32))
    assert child["MUJOCO_GL"] == "egl"


def test_beginnings_are_timed_by_the_suites_own_length(add):
    add(dataclasses.replace(LAMPS, episode_steps=70))
    whole = Job("lamps.desk", 0, 50, "", "")
    assert job_seconds(whole) == 50 * 3.0
    assert job_seconds(dataclasses.replace(whole, steps=7)) == pytest.approx(50 * 3.0 / 10)


@pytest.mark.parametrize(("optional", "taken"), [(True, False), (False, True)])
def test_only_an_option_may_be_absent_in_silence(add, optional, taken):
    absent = dataclasses.replace(LAMPS.tasks[0], requires="no_such_simulator")
    add(dataclasses.replace(LAMPS, tasks=(absent,), optional=optional, extra="lights"))
    assert (absent in catalog.select("default")) == (absent in catalog.select("all")) == taken
    with pytest.raises(ValueError, match=r"needs the module 'no_such_simulator', .* installed: pip .*\[lights\]"):
        catalog.select([absent.name])


def test_a_world_without_an_expert_is_played_and_not_recorded(add):
    alone = dataclasses.replace(LAMPS.tasks[0], name="lamps.alone", make_expert=None)
    add(dataclasses.replace(LAMPS, tasks=(*LAMPS.tasks, alone)))
    assert isinstance(catalog.make("lamps.alone"), Lamp)
    assert [task.name for task in catalog.select("lamps.*")] == ["lamps.desk"]
    assert alone not in catalog.select("all")
    with pytest.raises(ValueError, match=r"'lamps\.alone' can be played, but has no demonstrator here"):
        catalog.select("lamps.alone")


@pytest.mark.parametrize(
    ("domain", "opengl", "steps"),
    [("dm_control", True, 1000), ("metaworld", True, 500), ("babyai", False, 100), ("atari", False, 1000)],
)
def test_what_the_simulators_say(domain, opengl, steps, child):
    task = SUITES[domain].tasks[0].name
    render.replay(task, 0, np.zeros((1, 1), np.float32))
    assert child["MUJOCO_GL"] == ("egl" if opengl else "disabled")
    assert evaluate._cost(task) == steps


def test_every_domain_has_one_suite_and_every_folder_is_collected():
    assert len(SUITES) == len(catalog.SUITES)
    assert {task.domain for task in catalog.catalog().values()} == SUITES.keys()
    assert sum(len(suite.tasks) for suite in catalog.SUITES) == len(catalog.catalog())
    assert {domain for domain, suite in SUITES.items() if suite.is_simulator} == set(FOLDERS)
    with pytest.raises(ValueError, match=r"no suite has the domain 'lamps': expected one of \['dm_control'"):
        catalog.suite_of("lamps")


def requirements() -> dict[str, set[str]]:
    """Names of packages in setup.py by extra; "" are those that come with the package itself."""
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", said.update)
        runpy.run_path(str(ROOT / "setup.py"))
    lists = {"": said["install_requires"], **said["extras_require"]}
    return {extra: {re.match(r"[\w-]+", one).group() for one in names} for extra, names in lists.items()}


def without_dependencies() -> set[str]:
    """Names of packages that are installed alone, as they ask for other versions of what is here."""
    lines = (ROOT / "constraints-worlds-nodeps.txt").read_text().splitlines()
    return {line.partition("==")[0] for line in lines if "==" in line}


@pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="reads setup.py, which an installed wheel does not have")
@pytest.mark.parametrize("domain", sorted(SUITES))
def test_setup_installs_what_a_suite_needs(domain):
    suite, required = SUITES[domain], requirements()
    assert set(suite.packages) <= required[suite.extra] | required[""] | without_dependencies()
    owners = importlib.metadata.packages_distributions()
    for module in {task.requires for task in suite.tasks} - {""} - sys.stdlib_module_names:
        if module in owners:  # else the extra is not installed here
            assert {name.replace("_", "-") for name in owners[module]} & set(suite.packages), module
        elif not suite.optional:
            pytest.fail(f"{module} is not installed")


def test_the_catalog_loads_no_simulator():
    code = "import sys, data_pipelines.suites.catalog as c; c.catalog(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    simulators = {task.requires for suite in catalog.SUITES for task in suite.tasks}
    assert "data_pipelines" in loaded
    assert not (simulators | {"mujoco", "gymnasium", "tensorflow", "jax"}) & loaded
