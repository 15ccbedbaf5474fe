"""Where tasks from outside this package are played: as their data say, or as the weights' own config does."""

from collections.abc import Sequence
from pathlib import Path

from data_pipelines.spec import TaskSpec, World
from data_pipelines.storage.recorded_tasks import read_spec
from data_pipelines.suites import catalog
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
