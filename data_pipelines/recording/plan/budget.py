"""A number of minutes, shared between tasks: each keeps the same share of its own number of episodes."""

import bisect
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.plan.forecast import Forecast, foretell, job_seconds
from data_pipelines.recording.plan.jobs import jobs_of
from data_pipelines.suites.base.suite import Task
from data_pipelines.words import duration

_STEPS = 1000  # shares that are tried


class BudgetTooSmall(ValueError):
    """Not even one episode of each task fits; the message names those that do not."""


def within_minutes(tasks: Sequence[Task], config: RecordingConfig, *, minutes: float, workers: int) -> RecordingConfig:
    """The same configuration with the largest share of episodes that fits.

    What is foretold decides, not the clock, so that the same command makes the same data on every machine and after
    every interrupt.

    Args:
      tasks: all of them, also those that are recorded already.
      config: of the recording; at most as many episodes as it asks for.
      minutes: on the clock, of that many idle cores.
      workers: at the same time.

    Raises:
      BudgetTooSmall: one episode of each task takes longer.
    """

    def too_long(step: int) -> bool:
        return _foretold(tasks, _share(config, step), workers).seconds > 60 * minutes

    if not too_long(_STEPS):
        return config
    fitting = bisect.bisect_left(range(1, _STEPS), True, key=too_long)
    while fitting and too_long(fitting):  # Rounding: a larger share takes less here and there.
        fitting -= 1
    if not fitting:
        raise BudgetTooSmall(_what_does_not_fit(tasks, _share(config, 1), minutes, workers))
    return _share(config, fitting)


def _share(config: RecordingConfig, step: int) -> RecordingConfig:
    return dataclasses.replace(config, share=config.share * step / _STEPS)


def _foretold(tasks: Sequence[Task], config: RecordingConfig, workers: int) -> Forecast:
    return foretell({task.name: jobs_of(task, config, Path()) for task in tasks}, workers)


def _what_does_not_fit(tasks: Sequence[Task], least: RecordingConfig, minutes: float, workers: int) -> str:
    forecast = _foretold(tasks, least, workers)
    longest = {task.name: max(map(job_seconds, jobs_of(task, least, Path()))) for task in tasks}
    alone = [name for name, seconds in longest.items() if seconds > 60 * minutes]
    names = alone or sorted(forecast.tasks, key=lambda name: -forecast.tasks[name].seconds)[:5]
    worst = ", ".join(f"{name} ({duration(forecast.tasks[name].seconds)})" for name in names[:5])
    what = "these alone take longer" if alone else "these take most"
    return (
        f"{minutes:g} minutes are too few: one episode of each of {len(tasks)} tasks takes about "
        f"{duration(forecast.seconds)} on {workers} cores; {what}: {worst}; leave them out, or give more minutes"
    )
