"""Named mixtures over the data that is there: weights, schedule, and row groups that know their tasks."""

import dataclasses
import fnmatch
import logging
from collections.abc import Callable, Mapping

from data_pipelines.config import DataConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.mixtures.named import Resolved
from data_pipelines.mixtures.named import resolve as resolve_name
from data_pipelines.schema import RowGroup
from data_pipelines.storage.recorded_tasks import DataError, read_task, recorded_tasks

_log = logging.getLogger(__name__)


def resolve(config: DataConfig, *, say: Callable[[str], None] = _log.warning) -> DataConfig:
    """The configuration with explicit weights and groups; one without a named mixture is returned as it is.

    What is absent is told to `say`.

    Groups keep their order, a task belongs to the first whose patterns take it, and a group without tasks here goes.
    A group's `patches` become what its tasks need, and are never more than it declares.

    Raises:
      MixtureError: an unknown mixture, or sources that are absent while `mixture.renormalise` is not set.
      DataError: no data directory, or a task that no group takes.
    """
    mixture = config.mixture
    if not mixture.named:
        return config
    named_mixture = resolve_name(mixture.named, recorded_tasks(config.directory))
    weights = named_mixture.weights(renormalise=mixture.renormalise)
    schedule = named_mixture.schedule(renormalise=mixture.renormalise)
    groups = _groups(named_mixture, mixture.groups)
    explicit = MixtureConfig(weights, groups, mixture.rows_per_step, schedule)
    resolved = dataclasses.replace(config, mixture=explicit)
    fitted = {name: fit_patches(name, group, resolved) for name, group in groups.items()}
    if named_mixture.absent:
        share = f"{100 * named_mixture.absent_share:.1f} % of its weight is absent and dealt over the rest"
        say(f"mixture {named_mixture.name}: {share}: {', '.join(named_mixture.absent)}")
    return dataclasses.replace(config, mixture=dataclasses.replace(explicit, groups=fitted))


def _groups(named_mixture: Resolved, declared: Mapping[str, RowGroup]) -> dict[str, RowGroup]:
    tasks: dict[str, list[str]] = {name: [] for name in declared}
    for task in named_mixture.tasks:
        takes = (n for n, group in declared.items() if any(fnmatch.fnmatchcase(task, p) for p in group.tasks))
        group = next(takes, None)
        if group is None:
            patterns = {name: list(group.tasks) for name, group in declared.items()}
            raise DataError(
                f"mixture {named_mixture.name!r}: no row group takes task {task!r}; mixture.groups take {patterns}, "
                "and a pattern such as '*' takes the rest"
            )
        tasks[group].append(task)
    return {name: dataclasses.replace(declared[name], tasks=tuple(names)) for name, names in tasks.items() if names}


def fit_patches(name: str, group: RowGroup, config: DataConfig) -> RowGroup:
    """The group with as many patches as its tasks need. Raises `ValueError` where they need more than it declares."""
    from data_pipelines.seqio_tasks.registry import KINDS  # TensorFlow is needed only here.

    needs = {}
    for task in group.tasks:
        recorded = read_task(config.directory, task)
        needs[task] = KINDS[recorded.kind].needs(recorded, config, group)
        needs[task].check(task, name, group)
    return dataclasses.replace(group, patches=group.windows * max(need.patches for need in needs.values()))
