"""Every suite, and every task that can be recorded, by name.

Simulators are imported when a task is made, never before: a list of tasks needs none of them.
"""

import difflib
import functools
from collections.abc import Iterable, Mapping

from data_pipelines.suites import bundled_text
from data_pipelines.suites.atari import tasks as atari
from data_pipelines.suites.babyai import tasks as babyai
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Suite, Task
from data_pipelines.suites.dm_control import tasks as dm_control
from data_pipelines.suites.metaworld import tasks as metaworld

SUITES: tuple[Suite, ...] = (
    dm_control.SUITE,
    metaworld.SUITE,
    babyai.SUITE,
    atari.SUITE,
    bundled_text.TEXT,
    bundled_text.VQA,
)


def suite_of(domain: str) -> Suite:
    """The suite of a domain, which is the first part of a task's name."""
    for suite in SUITES:
        if suite.domain == domain:
            return suite
    raise ValueError(f"no suite has the domain {domain!r}: expected one of {[suite.domain for suite in SUITES]}")


def packages(suites: Iterable[Suite]) -> tuple[str, ...]:
    """The packages whose versions matter to these suites, each once."""
    return tuple(dict.fromkeys(package for suite in suites for package in suite.packages))


@functools.cache
def catalog() -> Mapping[str, Task]:
    """Every task by name, sorted."""
    tasks = [task for suite in SUITES for task in suite.tasks]
    return {task.name: task for task in sorted(tasks, key=lambda task: task.name)}


def get(name: str) -> Task:
    """The task called `name`; a `ValueError` suggests the nearest names."""
    tasks = catalog()
    if name in tasks:
        return tasks[name]
    near = difflib.get_close_matches(name, tasks, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise ValueError(f"unknown task {name!r}{hint} (`gato tasks` lists all {len(tasks)})")


def select(names: str | Iterable[str]) -> tuple[Task, ...]:
    """Tasks from "default", "all", or names, sorted and without repetition.

    "default" leaves out tasks whose simulator is an option that is not installed; "all" the held-out tasks too. A task
    named explicitly is always taken, and an error says so if its simulator is missing.
    """
    words = names.split(",") if isinstance(names, str) else list(names)
    chosen: dict[str, Task] = {}
    for word in (word.strip() for word in words):
        if word == "default":
            chosen |= {task.name: task for task in catalog().values() if task.default and _present(task)}
        elif word == "all":
            chosen |= {task.name: task for task in catalog().values() if not task.held_out and _present(task)}
        else:
            task = get(word)
            if not task.installed:
                raise ValueError(f"task {task.name!r} needs the module {task.requires!r}, which is not installed")
            chosen[task.name] = task
    if not chosen:
        raise ValueError(f"no tasks chosen: expected names, 'default' or 'all', found {names!r}")
    return tuple(chosen[name] for name in sorted(chosen))


def _present(task: Task) -> bool:
    return task.installed or not suite_of(task.domain).optional


def make(name: str) -> Environment:
    """The environment of a control task, in this process."""
    task = get(name)
    if task.make_environment is None:
        raise ValueError(f"task {name!r} is a {task.source.value} source: it has no environment to act in")
    if not task.installed:
        raise ValueError(f"task {name!r} needs the module {task.requires!r}, which is not installed")
    return task.make_environment()
