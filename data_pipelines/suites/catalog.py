"""Every suite, and every task by name: those that can be recorded, and those that can only be played.

Simulators are imported when a task is made, never before: a list of tasks needs none of them.
"""

import collections
import difflib
import fnmatch
import functools
import importlib.metadata
import logging
from collections.abc import Container, Iterable, Mapping, Sequence

from data_pipelines.spec import TaskSpec, World
from data_pipelines.suites import bundled
from data_pipelines.suites.atari import tasks as atari
from data_pipelines.suites.atari_extended import tasks as atari_extended
from data_pipelines.suites.atari_more import tasks as atari_more
from data_pipelines.suites.babyai import tasks as babyai
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Suite, Task
from data_pipelines.suites.classic_control import tasks as classic_control
from data_pipelines.suites.dm_control import tasks as dm_control
from data_pipelines.suites.dm_control_manipulation import tasks as dm_control_manipulation
from data_pipelines.suites.dm_control_pixels import tasks as dm_control_pixels
from data_pipelines.suites.dm_control_random_large import tasks as dm_control_random_large
from data_pipelines.suites.dm_control_random_small import tasks as dm_control_random_small
from data_pipelines.suites.dmlab import tasks as dmlab
from data_pipelines.suites.gymnasium_mujoco import tasks as gymnasium_mujoco
from data_pipelines.suites.gymnasium_robotics import tasks as gymnasium_robotics
from data_pipelines.suites.metaworld import tasks as metaworld
from data_pipelines.suites.minigrid import tasks as minigrid
from data_pipelines.suites.miniworld import tasks as miniworld
from data_pipelines.suites.modular_rl import tasks as modular_rl
from data_pipelines.suites.outside.process import renderer
from data_pipelines.suites.procgen import tasks as procgen
from data_pipelines.suites.procgen_easy import tasks as procgen_easy
from data_pipelines.suites.rgb_stacking_sim import tasks as rgb_stacking_sim
from data_pipelines.suites.sokoban import tasks as sokoban
from data_pipelines.suites.vizdoom import tasks as vizdoom

SUITES: tuple[Suite, ...] = (
    dm_control.SUITE,
    dm_control_pixels.SUITE,
    dm_control_random_small.SUITE,
    dm_control_random_large.SUITE,
    dm_control_manipulation.SUITE,
    metaworld.SUITE,
    babyai.SUITE,
    atari.SUITE,
    minigrid.SUITE,
    classic_control.SUITE,
    gymnasium_mujoco.SUITE,
    gymnasium_robotics.SUITE,
    miniworld.SUITE,
    atari_extended.SUITE,
    atari_more.SUITE,
    procgen.SUITE,
    procgen_easy.SUITE,
    vizdoom.SUITE,
    dmlab.SUITE,
    modular_rl.SUITE,
    rgb_stacking_sim.SUITE,
    sokoban.SUITE,
    bundled.TEXT,
    bundled.CAPTIONS,
    bundled.VQA,
    bundled.DIALOGUE,
)


ENTRY_POINTS = "gato_jax.suites"
"""Group of entry points by which an installed package adds suites: each names a `Suite`."""

GLOB_SIGNS = "*?["

_log = logging.getLogger(__name__)


def suites() -> tuple[Suite, ...]:
    """Ours, and those that installed packages add."""
    return (*SUITES, *_installed_suites())


@functools.cache
def _installed_suites() -> tuple[Suite, ...]:
    """Suites of the entry points, sorted by their names. One that cannot be used is left out, and that is said."""
    added: list[Suite] = []
    for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            suite = point.load()
            if not isinstance(suite, Suite):
                raise TypeError(f"expected a Suite, found a {type(suite).__name__}")
            if any(suite.domain == other.domain for other in (*SUITES, *added)):
                raise ValueError(f"the domain {suite.domain!r} is taken")
        except Exception as error:  # Somebody's package must not take all commands with it.
            owner = point.dist.name if point.dist else "an unknown package"
            _log.warning(
                "entry point %s = %s (%s) of %s is left out: %s: %s",
                point.name, point.value, ENTRY_POINTS, owner, type(error).__name__, error,
            )  # fmt: skip
        else:
            added.append(suite)
    return tuple(added)


def suite_of(domain: str) -> Suite:
    """The suite of a domain, which is the first part of a task's name."""
    for suite in suites():
        if suite.domain == domain:
            return suite
    raise ValueError(f"no suite has the domain {domain!r}: expected one of {[suite.domain for suite in suites()]}")


def packages(suites: Iterable[Suite]) -> tuple[str, ...]:
    """The packages whose versions matter to these suites, each once."""
    return tuple(dict.fromkeys(package for suite in suites for package in suite.packages))


@functools.cache
def catalog() -> Mapping[str, Task]:
    """Every task by name, sorted."""
    tasks = [task for suite in suites() for task in suite.tasks]
    return {task.name: task for task in sorted(tasks, key=lambda task: task.name)}


def get(name: str) -> Task:
    """The task called `name`; a `ValueError` suggests the nearest names."""
    tasks = catalog()
    if name in tasks:
        return tasks[name]
    near = difflib.get_close_matches(name, tasks, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise ValueError(
        f"unknown task {name!r}{hint} (`gato tasks` lists all {len(tasks)}; a world of your own is gymnasium:ID or "
        "package.module:factory)"
    )


def select(names: str | Iterable[str]) -> tuple[Task, ...]:
    """Tasks to record from "default", "all", names, or globs such as "babyai.*", sorted and without repetition.

    "default" leaves out tasks whose simulator is an option that is not installed; "all" and globs the held-out tasks
    and those without a demonstrator too, which is said of a glob. A task named explicitly is always taken.

    Raises:
      ValueError: no such task, no task that a glob means, or one that is named and cannot be recorded here.
    """
    words = names.split(",") if isinstance(names, str) else list(names)
    chosen: dict[str, Task] = {}
    for word in (word.strip() for word in words):
        if word == "default":
            tasks = [task for task in catalog().values() if task.default and _present(task)]
        elif word == "all" or any(sign in word for sign in GLOB_SIGNS):
            tasks = _matching("*" if word == "all" else word)
        else:
            tasks = [get(word)]
            check_recordable(tasks[0])
        chosen |= {task.name: task for task in tasks}
    if not chosen:
        raise ValueError(f"no tasks chosen: expected names, globs, 'default' or 'all', found {names!r}")
    return tuple(chosen[name] for name in sorted(chosen))


def _matching(glob: str) -> list[Task]:
    """What a glob means to a recording."""
    named = [task for name, task in catalog().items() if fnmatch.fnmatchcase(name, glob)]
    if not named:
        raise ValueError(f"no task matches {glob!r}{_nearest(glob)} (`gato tasks` lists all {len(catalog())})")
    tasks = [task for task in named if task.demonstrated and not task.held_out and _present(task)]
    if not tasks:
        check_recordable(next((task for task in named if not task.held_out), named[0]))
        raise ValueError(f"all that matches {glob!r} is held out: name a task to record it, such as {named[0].name}")
    if glob != "*" and len(tasks) < len(named):
        _say_what_is_left_out(glob, named, tasks)
    return tasks


def _nearest(glob: str) -> str:
    """What a glob that matches nothing may mean: another suite, or names of its suite; as the end of a sentence."""
    domain, _, task = glob.partition(".")
    domains = [suite.domain for suite in suites()]
    if domain in domains:
        bare = "".join(sign for sign in task if sign not in GLOB_SIGNS)
        names = [name.partition(".")[2] for name in catalog() if name.startswith(f"{domain}.")]
        hints = [f"{domain}.{name}" for name in difflib.get_close_matches(bare, names, n=3, cutoff=0.4)]
    else:
        hints = [f"{near}.*" for near in difflib.get_close_matches(domain, domains, n=1)]
    return f"; did you mean {', '.join(hints)}?" if hints else ""


def _say_what_is_left_out(glob: str, named: Sequence[Task], taken: Sequence[Task]) -> None:
    names = {task.name for task in taken}
    reasons = collections.Counter(
        "without a demonstrator" if not task.demonstrated else "held out" if task.held_out else "not installed"
        for task in named
        if task.name not in names
    )
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    _log.warning("%s: %d of %d tasks; left out: %s", glob, len(taken), len(named), left_out)


def check_recordable(task: Task) -> None:
    """Raises `ValueError` for a task that nobody demonstrates, or whose simulator is not installed."""
    check_installed(task)
    if not task.demonstrated:
        raise ValueError(
            f"task {task.name!r} can be played, but has no demonstrator here (`gato tasks` lists those that have)"
        )


def check_installed(task: Task) -> None:
    """Raises `ValueError` for a task whose simulator is not installed."""
    if not task.installed:
        needs = f"one of the files {', '.join(task.files)}" if task.files else f"the module {task.requires!r}"
        hint = install_hint(task)
        raise ValueError(f"task {task.name!r} needs {needs}, which is not installed" + (f": {hint}" * bool(hint)))


def install_hint(task: Task) -> str:
    """What to type where a task's simulator or source is missing; "" where the package itself brings it."""
    return task.install or suite_of(task.domain).hint


def renderer_for(tasks: Iterable[str], outside: Container[str] = ()) -> str:
    """MUJOCO_GL of a process that acts in these tasks and films none: it must be set before a simulator is imported.

    An OpenGL context costs seconds, so only observations that are drawn get one.

    Args:
      tasks: names.
      outside: those that are played outside this package, and may show pictures.
    """
    return renderer() if any(name in outside or get(name).draws for name in tasks) else "disabled"


def _present(task: Task) -> bool:
    return task.installed or not suite_of(task.domain).optional


def make(
    name: str, where: TaskSpec | World | None = None, *, allow: Sequence[str] = (), draw: bool = False
) -> Environment:
    """The environment of a control task, in this process: the one door from a task to its world.

    Args:
      name: of the task.
      where: its spec as recorded, or its world, if that is outside this package. It is opened by consent, and must
        agree with the spec.
      allow: packages whose code may be imported although nobody here named that world.
      draw: whether it is made to be drawn.

    Raises:
      ValueError: no such task; `WorldError`: what is wrong with a world from outside.
    """
    spec = where if isinstance(where, TaskSpec) else None
    world = spec.world if spec is not None else where
    if isinstance(world, World):
        from data_pipelines.suites.outside.opening import open_world

        return open_world(world, name=name, allow=allow, draw=draw, spec=spec)
    task = get(name)
    if task.make_environment is None:
        raise ValueError(f"task {name!r} is a {task.source.value} source: it has no environment to act in")
    check_installed(task)
    return task.make_environment()
