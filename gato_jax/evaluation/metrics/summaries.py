"""What an evaluation comes to: thresholds, means and interquartile means, by data's own and by frozen normalisers.

"expert" is what `TaskScore.percent` is: 100 is the expert that the data come from, as in the paper. "frozen" takes the
package's scores in its place, which are the same for every run: so these compare between runs. "human" takes people.
"""

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from data_pipelines.scores import Normaliser
from data_pipelines.suites.frozen_scores import FrozenScore, frozen_scores
from gato_jax.evaluation.metrics import aggregates

if typing.TYPE_CHECKING:
    from gato_jax.evaluation.results import EvaluationResult, TaskScore

Percents = dict[str, np.ndarray]
"""Task -> score of each episode, in percent."""


def expert_percents(tasks: "Sequence[TaskScore]") -> Percents:
    """By the normaliser of each task."""
    return {score.task: score.percents for score in tasks}


def frozen_percents(result: "EvaluationResult") -> Percents:
    """By the package's experts; only tasks that have one there. None of a result of other frozen scores."""
    return _normalised(result, lambda frozen: frozen.normaliser)


def human_percents(result: "EvaluationResult") -> Percents:
    """By people, as published; only tasks of which that is known. None of a result of other frozen scores."""
    return _normalised(result, lambda frozen: frozen.human_normaliser)


def _normalised(result: "EvaluationResult", choose: Callable[[FrozenScore], Normaliser | None]) -> Percents:
    if dict(result.scores) != frozen_scores().identity:
        return {}
    known, tasks = frozen_scores().tasks, result.tasks
    found = {score.task: choose(known[score.task]) for score in tasks if score.task in known}
    return {
        score.task: np.asarray(normaliser.percent(score.returns))
        for score in tasks
        if (normaliser := found.get(score.task)) is not None
    }


def by_domain(percents: Percents) -> dict[str, Percents]:
    """The same, domain by domain."""
    domains: dict[str, Percents] = {}
    for task in sorted(percents):
        domains.setdefault(task.partition(".")[0], {})[task] = percents[task]
    return domains


def totals(percents: Percents) -> dict[str, Any]:
    """Means and interquartile means of all tasks and of each domain; empty without tasks."""
    if not percents:
        return {}
    domains = by_domain(percents)
    overall = aggregates.mean_over_domains({name: list(of.values()) for name, of in domains.items()})
    return {
        "all": aggregates.summarise(list(percents.values())).to_dict(),
        "domains": {name: aggregates.summarise(list(of.values())).to_dict() for name, of in domains.items()},
        "mean_over_domains": {"value": overall.value, "low": overall.low, "high": overall.high},
    }


def thresholds(percents: Percents) -> dict[str, Any]:
    """Tasks at or above each threshold (Gato, figure 5), in all and by domain."""
    means = {task: float(of.mean()) for task, of in percents.items()}
    domains = by_domain(percents)
    return {
        "percent": list(aggregates.THRESHOLDS),
        "tasks": aggregates.tasks_at_least(list(means.values())),
        "domains": {name: aggregates.tasks_at_least([means[task] for task in of]) for name, of in domains.items()},
    }


def summary(result: "EvaluationResult") -> dict[str, Any]:
    """What evaluation.json adds to the scores of the tasks.

    A result that was scored with another version of the frozen scores has nothing by them.
    """
    sides: Mapping[str, Percents] = {
        "expert": expert_percents(result.tasks),
        "frozen": frozen_percents(result),
        "human": human_percents(result),
    }
    return {
        "thresholds": thresholds(sides["expert"]),
        "statistics": {name: totals(percents) for name, percents in sides.items()},
        "frozen_percent": {task: float(of.mean()) for task, of in sides["frozen"].items()},
        "human_percent": {task: float(of.mean()) for task, of in sides["human"].items()},
    }
