"""From rollouts to scores."""

from collections.abc import Mapping

from data_pipelines.scores import Normaliser
from data_pipelines.suites.frozen_scores import frozen_scores
from gato_jax.evaluation.baselines import Baseline
from gato_jax.evaluation.results import TaskScore
from gato_jax.evaluation.rollouts import Rollout
from gato_jax.evaluation.statistics import p_below, percent_interval


def score_task(
    rollout: Rollout,
    normaliser: Normaliser,
    baseline: Baseline | None = None,
    others: Mapping[str, Baseline] | None = None,
) -> TaskScore:
    """Percent of expert of one task, its interval, the test against random, and what stands beside it."""
    interval = percent_interval(rollout.returns, normaliser.expert, normaliser.random)
    return TaskScore(
        task=rollout.task,
        domain=rollout.task.partition(".")[0],
        decode=rollout.decode,
        seeds=rollout.seeds,
        returns=rollout.returns,
        lengths=rollout.lengths,
        success=rollout.success,
        expert_mean=normaliser.expert,
        random_mean=normaliser.random,
        random_episodes=len(normaliser.random_returns),
        percent=float(normaliser.percent(sum(rollout.returns) / len(rollout.returns))),
        low=interval.low,
        high=interval.high,
        interval=interval.method,
        p_below_random=p_below(rollout.returns, normaliser.random_returns),
        seconds=rollout.seconds,
        failures=rollout.failures,
        prompt=rollout.notes,
        baseline=baseline,
        others=others or {},
        ever=rollout.ever,
        truncated=rollout.truncated,
    )


def normaliser_of(scores: Mapping[str, Normaliser], task: str, directory: str) -> Normaliser:
    """Of the data directory, or else the package's frozen one.

    Raises:
      ValueError: neither has the task.
    """
    if task in scores:
        return scores[task]
    frozen = frozen_scores().tasks.get(task)
    if frozen is not None and frozen.normaliser is not None:
        return frozen.normaliser
    raise ValueError(
        f"task {task!r} has no entry in {directory}/scores.json, which says what its expert and the random policy "
        f"reach, and no expert in the package's frozen scores; record it first, with an expert: gato record --tasks "
        f"{task}"
    )
