"""Which tasks are evaluated, and where those from outside are played: as their data say, or as the run itself does."""

import difflib
import fnmatch
from collections.abc import Container, Sequence
from pathlib import Path

from data_pipelines.spec import TaskSpec, World
from data_pipelines.storage.recorded_tasks import read_spec
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source
from data_pipelines.suites.outside import consent
from gato_jax.config import Experiment


def recorded_specs(names: Sequence[str], directory: str | Path, *, allow: Sequence[str] = ()) -> dict[str, TaskSpec]:
    """Specs of those of the tasks whose data say that they are played outside this package.

    Raises:
      DataError: a damaged spec.
      CodeNotAllowed: nobody here named such a world, and its package is not allowed.
    """
    specs = {}
    for name in names:
        spec = read_spec(directory, name)
        if spec is not None and spec.world is not None:
            consent.check(name, spec.world, allow=allow)
            specs[name] = spec
    return specs


def where_to_play(task: str, experiment: Experiment, *, allow: Sequence[str] = ()) -> TaskSpec | World | None:
    """Spec or world of a task from outside: of its data, or else of the config; None for one of the catalog.

    Raises:
      CodeNotAllowed: as above.
      ValueError: neither of them has the task, nor the catalog.
    """
    if spec := recorded_specs([task], experiment.data.directory, allow=allow).get(task):
        return spec
    if world := experiment.evaluation.worlds.get(task):
        consent.check(task, world, allow=allow)
        return world
    if read_spec(experiment.data.directory, task) is not None and task not in catalog.catalog():
        raise ValueError(
            f"task {task!r} was imported, and its data name no world to play it in: import it again with --world "
            "gymnasium:ID or --world package.module:factory, or play that: `gato play RUN gymnasium:ID`"
        )
    catalog.get(task)
    return None


def matching(mixture_tasks: Sequence[str], requested: Sequence[str]) -> list[str]:
    """Names, with globs replaced by the tasks of the experiment that match.

    Raises:
      ValueError: a glob that matches none of them.
    """
    names: list[str] = []
    for name in requested:
        if not any(sign in name for sign in catalog.GLOB_SIGNS):
            names.append(name)
            continue
        found = fnmatch.filter(mixture_tasks, name)
        if not found:
            raise ValueError(
                f"no task of the experiment matches {name!r}; it has {', '.join(mixture_tasks)}. Tasks that it was not "
                "trained on are named one by one"
            )
        names += found
    return list(dict.fromkeys(names))


def split_tasks(
    mixture_tasks: Sequence[str],
    requested: Sequence[str] | None,
    *,
    imported: Sequence[str] = (),
    outside: Container[str] = (),
) -> tuple[list[str], list[str]]:
    """Control tasks, and text and question tasks, among those wanted (None: all that are known).

    Args:
      mixture_tasks: tasks of the experiment.
      requested: names, or None for all of these.
      imported: text and question tasks that may not be in the catalog.
      outside: control tasks that are played outside this package.

    Raises:
      ValueError: a name that neither the experiment nor the catalog has, with the nearest ones.
    """
    control, language = [], []
    everything = catalog.catalog()
    for task in sorted(set(mixture_tasks if requested is None else requested)):
        if task in imported and task in mixture_tasks:
            language.append(task)
            continue
        if task in outside:
            control.append(task)
            continue
        if task not in everything:
            near = difflib.get_close_matches(task, sorted(everything), n=3, cutoff=0.4)
            hint = (
                f"; did you mean {' or '.join(near)}?" if near else f"; the experiment has {', '.join(mixture_tasks)}"
            )
            owner = "the experiment's mixture has the" if requested is None else ""
            raise ValueError(f"{owner} unknown task {task!r}{hint}".strip())
        if everything[task].source is Source.ENVIRONMENT:
            control.append(task)
        elif task in mixture_tasks:
            language.append(task)
        else:
            raise ValueError(f"task {task!r} was not trained on: the experiment has {', '.join(mixture_tasks)}")
    return control, language
