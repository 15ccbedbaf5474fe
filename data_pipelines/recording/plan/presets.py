"""Recordings by one word: which tasks, and how many episodes of each."""

import bisect
import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.plan.forecast import foretell
from data_pipelines.recording.plan.jobs import jobs_of
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.costs import Cost, costs

FILTER = 0.8
"""As in the paper: of an expert's episodes, those with at least 80 % of its return."""
_LOCAL_SECONDS = 10.0  # that an accepted episode may take
_LOCAL_EPISODES = 20  # of each task at least
_LOCAL_MINUTES = 75.0  # of two idle cores, so that it stays below the 90 that are promised
_VALIDATION = 0.05  # held-out share that is reckoned with
_STEPS = 200

_ATARI = ("atari", "atari_extended", "atari_more")
_PIXELS = (
    *_ATARI, "dm_control_pixels", "miniworld", "procgen", "procgen_easy", "rgb_stacking_sim", "sokoban", "vizdoom",
)  # fmt: skip
"""Suites that are seen as pictures."""


@dataclasses.dataclass(frozen=True)
class Preset:
    """What a preset means here.

    Args:
      tasks: names for `record`, or "default".
      counts: episodes of single tasks; all others keep their own number.
      filter: as of `RecordingConfig`.
      left_out: tasks of it whose simulator is not installed here.
    """

    tasks: tuple[str, ...]
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    filter: float | None = None
    left_out: tuple[str, ...] = ()


def preset(name: str) -> Preset:
    """A preset by its name. Raises `ValueError` for an unknown one, or one of which nothing is installed."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown preset {name!r}{hint} (presets: {', '.join(PRESETS)})")
    return PRESETS[name]()


def _local() -> Preset:
    quick = [name for name, cost in _experts().items() if cost.seconds <= _LOCAL_SECONDS]
    # The numbers do not depend on what is installed, so that a task's data are the same on every machine.
    return _installed([*quick, *_language()], _counts([catalog.get(name) for name in quick]), FILTER)


def _local_long() -> Preset:
    slow = [name for name, cost in _experts().items() if cost.seconds > _LOCAL_SECONDS]
    return _installed(slow, filter=FILTER)


def _suites(domains: Iterable[str]) -> Preset:
    tasks = [task for task in catalog.catalog().values() if task.domain in domains]
    return _installed([task.name for task in tasks if task.demonstrated and not task.held_out])


PRESETS: Mapping[str, Callable[[], Preset]] = {
    "default": lambda: Preset(("default",)),
    "local": _local,
    "local_long": _local_long,
    "atari": lambda: _suites(_ATARI),
    "pixels": lambda: _suites(_PIXELS),
}
"""Name -> what it means: see docs/recording.md."""


def _experts() -> dict[str, Cost]:
    """Tasks with a demonstrator that counts, but for those that are held out."""
    tasks = catalog.catalog()
    recordable = {name for name, task in tasks.items() if task.demonstrated and not task.held_out}
    return {name: cost for name, cost in costs().items() if cost.counts and name in recordable}


def _language() -> list[str]:
    return [task.name for task in catalog.catalog().values() if task.source is not Source.ENVIRONMENT]


def _installed(names: Iterable[str], counts: Mapping[str, int] | None = None, filter: float | None = None) -> Preset:
    names = list(names)
    here = tuple(name for name in names if catalog.get(name).installed)
    if not here:
        first = catalog.get(names[0]) if names else None
        hint = catalog.suite_of(first.domain).hint if first else "nobody demonstrates any of its tasks"
        raise ValueError(f"nothing of this preset can be recorded here, of {len(names)} tasks: {hint}")
    counts = {name: count for name, count in (counts or {}).items() if name in here}
    return Preset(here, counts, filter, tuple(name for name in names if name not in here))


def _counts(tasks: list[Task]) -> dict[str, int]:
    """As many episodes of each as fit into the preset's minutes: one share of each task's own number for all."""

    def counts(step: int) -> dict[str, int]:
        return {task.name: max(_LOCAL_EPISODES, round(task.episodes * step / _STEPS)) for task in tasks}

    def too_long(step: int) -> bool:
        config = RecordingConfig(counts=counts(step), filter=FILTER, validation=_VALIDATION)
        return foretell({task.name: jobs_of(task, config, Path()) for task in tasks}, 2).seconds > 60 * _LOCAL_MINUTES

    return counts(max(0, bisect.bisect_left(range(_STEPS + 1), True, key=too_long) - 1))
