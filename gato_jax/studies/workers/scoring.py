"""What a run of a sweep can do, beside its losses: episodes in simulators, and questions."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from gato_jax.evaluation.evaluate import evaluate
from gato_jax.evaluation.results import ROLLOUTS

Scores = dict[str, dict[str, float]]
"""Task -> "score" in percent with its 95 % interval "low", "high"."""


def score(train: Path) -> Scores:
    """Scores a finished run with its own `evaluation` settings; evaluation.json stays beside the run.

    A control task's score is in percent of its expert (0 = random), a question task's the percent of right answers.
    Text has no score. An interrupted call goes on where it was.

    Raises:
      FileNotFoundError: the data directory has no scores.json, which says what random and expert reach.
    """
    evaluation = evaluate(train)
    shutil.rmtree(train / ROLLOUTS, ignore_errors=True)  # Episodes of sixty runs; the scores are in evaluation.json.
    scores = {of.task: {"score": of.percent, "low": of.low, "high": of.high} for of in evaluation.tasks}
    for answers in evaluation.language:
        if answers.accuracy is not None and answers.low is not None and answers.high is not None:
            values = {"score": answers.accuracy, "low": answers.low, "high": answers.high}
            scores[answers.task] = {name: 100 * value for name, value in values.items()}
    return scores


def domain_scores(scores: Mapping[str, Mapping[str, float]], domains: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Mean score over the scored tasks of each domain that has any."""
    each = {domain: [scores[task]["score"] for task in tasks if task in scores] for domain, tasks in domains.items()}
    return {domain: sum(values) / len(values) for domain, values in each.items() if values}
