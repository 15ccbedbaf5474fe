"""Arms of the mixture: tasks or domains, their losses and their shares."""

import math
from collections.abc import Mapping

from gato_jax.config import Arms, Measure
from gato_jax.training.mixture_control.controller import VALIDATION

Shares = dict[str, float]
"""Arm -> its share of the rows; they sum to one."""


class Deal:
    """Between tasks and arms: losses of arms, and weights of tasks.

    Args:
      weights: those of the mixture, all positive; tasks of an arm keep their proportions.
      arms: tasks or domains.
      measure: which losses count.
    """

    def __init__(self, weights: Mapping[str, float], arms: Arms, measure: Measure = Measure.TRAINING):
        total, self._prefix = sum(weights.values()), VALIDATION if measure is Measure.VALIDATION else ""
        self._tasks: dict[str, Shares] = {}
        for task, weight in sorted(weights.items()):
            arm = task.partition(".")[0] if arms is Arms.DOMAIN else task
            self._tasks.setdefault(arm, {})[task] = weight / total
        self.shares: Shares = {arm: sum(tasks.values()) for arm, tasks in self._tasks.items()}

    def losses(self, told: Mapping[str, float]) -> dict[str, float]:
        """What a controller is told -> arm -> loss."""
        tasks = [task for tasks in self._tasks.values() for task in tasks]
        return self.means({task: told[self._prefix + task] for task in tasks if self._prefix + task in told})

    def means(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Task -> loss, to arm -> mean loss of those of its tasks that have one, by their weights."""
        means = {}
        for arm, tasks in self._tasks.items():
            measured = {task: share for task, share in tasks.items() if task in losses}
            if measured:
                means[arm] = sum(share * losses[task] for task, share in measured.items()) / sum(measured.values())
        return means

    def weights(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Arm -> share, to task -> share."""
        return {
            task: shares[arm] * part / self.shares[arm]
            for arm, tasks in self._tasks.items()
            for task, part in tasks.items()
        }


def softmax(logits: Mapping[str, float]) -> Shares:
    """Shares in proportion to exp(logit)."""
    most = max(logits.values())
    powers = {arm: math.exp(value - most) for arm, value in logits.items()}
    return {arm: power / sum(powers.values()) for arm, power in powers.items()}
