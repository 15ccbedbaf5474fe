"""The policies of `train.policy`: DoReMi's exponentiated gradient and a bandit, both over a run's own losses.

Their arithmetic is Python's own on doubles, so all hosts agree. What was said is in force two segments later, so the
distribution that drew the losses is not the last one that was said.
"""

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gato_jax.config import Arms, BanditConfig, DoremiConfig, Experiment, Measure, PolicyName, Reward
from gato_jax.training.mixture_control.controller import VALIDATION, Policy
from gato_jax.training.run_directory import JSONL, read_records

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
        """What a policy is told -> arm -> loss."""
        tasks = [task for tasks in self._tasks.values() for task in tasks]
        return self.means({task: told[self._prefix + task] for task in tasks if self._prefix + task in told})

    def means(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Task -> loss, to arm -> mean loss of those of its tasks that have one, by their weights."""
        found = {}
        for arm, tasks in self._tasks.items():
            seen = {task: share for task, share in tasks.items() if task in losses}
            if seen:
                found[arm] = sum(share * losses[task] for task, share in seen.items()) / sum(seen.values())
        return found

    def weights(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Arm -> share, to task -> share."""
        return {
            task: shares[arm] * part / self.shares[arm]
            for arm, tasks in self._tasks.items()
            for task, part in tasks.items()
        }


class Doremi:
    """Weights grow by the exponential of the excess loss over a reference's.

    As in the paper: clipping at zero, exponentiated gradient, smoothing towards uniform. Otherwise: the paper clips the
    excess of every token, here it is that of an arm's mean; the paper draws all domains alike and weighs their losses,
    here the weights draw the rows; one update is made per data segment, not per step; the run starts from the mixture's
    weights, not from uniform ones.
    """

    def __init__(self, config: DoremiConfig, deal: Deal):
        self._config, self._deal, self._reference = config, deal, deal.means(config.losses)
        self._shares, self._excess = dict(deal.shares), dict.fromkeys(deal.shares, 0.0)

    def update(self, segment: int, losses: Mapping[str, float]) -> Mapping[str, float] | None:
        found = self._deal.losses(losses)
        if not found:
            return None
        # An arm without targets in this segment keeps its last excess: it must not be forgotten because it is rare.
        self._excess |= {arm: max(loss - self._reference[arm], 0.0) for arm, loss in found.items()}
        step, smoothing = self._config.step_size, self._config.smoothing
        grown = _softmax({arm: math.log(share) + step * self._excess[arm] for arm, share in self._shares.items()})
        self._shares = {arm: (1 - smoothing) * share + smoothing / len(grown) for arm, share in grown.items()}
        return self._deal.weights(self._shares)

    def state(self) -> dict[str, Any]:
        return {"shares": self._shares, "excess": self._excess}

    def restore(self, state: dict[str, Any]) -> None:
        self._shares, self._excess = dict(state["shares"]), dict(state["excess"])


class Bandit:
    """EXP3 with a moving average of importance-weighted rewards, and an exploration that falls with the steps.

    As in the paper: with K arms, after t steps, e(t) = min(1 / K, sqrt(ln K / (K t))), and the share of an arm is
    (1 - K e(t)) softmax(e(last t) reward) + e(t), where reward <- memory * reward + (1 - memory) * found / share of the
    rows that found it. Otherwise: one update is made per data segment, t counts steps; all arms with targets are
    rewarded, as a segment shows all of them; the run starts from the mixture's weights; `rate` multiplies rewards, and
    a reward may be the fall of the loss.
    """

    def __init__(self, config: BanditConfig, deal: Deal, segment_steps: int):
        self._config, self._deal, self._steps = config, deal, segment_steps
        self._reward = dict.fromkeys(deal.shares, 0.0)
        self._last: dict[str, float] = {}
        self._exploration = 1 / len(deal.shares)
        # Shares in the segment that will end next, and in the one after it.
        self._in_force, self._next = dict(deal.shares), dict(deal.shares)

    def update(self, segment: int, losses: Mapping[str, float]) -> Mapping[str, float] | None:
        found, memory, arms = self._deal.losses(losses), self._config.memory, len(self._reward)
        for arm, loss in found.items():
            reward = loss if self._config.reward is Reward.LOSS else self._last.get(arm, loss) - loss
            self._reward[arm] = memory * self._reward[arm] + (1 - memory) * reward / self._in_force[arm]
        self._last |= found
        said = None
        if found:
            before, steps = self._exploration, (segment + 1) * self._steps
            self._exploration = least = min(1 / arms, math.sqrt(math.log(arms) / (arms * steps)))
            logits = {arm: self._config.rate * before * reward for arm, reward in self._reward.items()}
            said = {arm: (1 - arms * least) * share + least for arm, share in _softmax(logits).items()}
        self._in_force, self._next = self._next, said or self._next
        return None if said is None else self._deal.weights(said)

    def state(self) -> dict[str, Any]:
        return {
            "reward": self._reward,
            "last": self._last,
            "exploration": self._exploration,
            "in_force": self._in_force,
            "next": self._next,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._reward, self._last = dict(state["reward"]), dict(state["last"])
        self._exploration = float(state["exploration"])
        self._in_force, self._next = dict(state["in_force"]), dict(state["next"])


def build_policy(experiment: Experiment) -> Policy | None:
    """The policy that the experiment asks for, at its beginning."""
    config, data = experiment.train.policy, experiment.data
    if config.name is PolicyName.NONE:
        return None
    deal = Deal(data.mixture.weights, config.arms, config.measure)
    if config.name is PolicyName.DOREMI:
        return Doremi(config.doremi, deal)
    return Bandit(config.bandit, deal, data.stream.segment_steps)


def resolve_policy(experiment: Experiment) -> Experiment:
    """Reference losses read from their file, so that the run's config says what the run goes by.

    Raises:
      ValueError: no such file, another content, or a task without a reference loss (with the nearest that have one).
    """
    policy = experiment.train.policy
    if policy.name is not PolicyName.DOREMI:
        return experiment
    losses = policy.doremi.losses or read_losses(policy.doremi.reference)
    tasks = experiment.data.mixture.task_names
    for task in tasks:
        if task not in losses:
            near = difflib.get_close_matches(task, losses, n=3) or sorted(losses)
            raise ValueError(f"train.policy.doremi: no reference loss of task {task!r}; nearest there: {near}")
    doremi = dataclasses.replace(policy.doremi, losses={task: losses[task] for task in tasks})
    train = dataclasses.replace(experiment.train, policy=dataclasses.replace(policy, doremi=doremi))
    return dataclasses.replace(experiment, train=train)


def require_validation(experiment: Experiment, tasks: Sequence[str]) -> None:
    """Raises `ValueError` where a policy goes by held-out losses, and `tasks`, which have one, leave an arm without."""
    policy = experiment.train.policy
    if not policy.controlled_by_validation:
        return
    deal = Deal(experiment.data.mixture.weights, policy.arms)
    if without := sorted(set(deal.shares) - set(deal.means(dict.fromkeys(tasks, 0.0)))):
        raise ValueError(
            f"train.policy.measure is validation, but these have no validation split: {without}; record with "
            "--validation, or choose measure training"
        )


def read_losses(reference: str) -> dict[str, float]:
    """Task -> loss, from a file or a run directory as `DoremiConfig.reference` says. Raises `ValueError`."""
    path, where = Path(reference), f"train.policy.doremi.reference {reference}"
    if path.is_dir():
        found = next((r["validation"] for r in reversed(read_records(path)) if "validation" in r), None)
        if found is None:
            raise ValueError(f"{where}: no validation in {path / JSONL}; a run with train.evaluate_every has one")
    elif path.is_file():
        found = json.loads(path.read_text())
        found = found.get("tasks", found.get("losses", found)) if isinstance(found, Mapping) else None
    else:
        raise ValueError(f"{where} does not exist")
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f'{where}: expected {{task: loss}} or {{task: {{"loss": loss}}}}, found {str(found)[:60]}')
    losses: dict[str, float] = {}
    for task, value in found.items():
        loss = value.get("loss") if isinstance(value, Mapping) else value
        if isinstance(loss, bool) or not isinstance(loss, (int, float)) or not math.isfinite(loss):
            raise ValueError(f"{where}: expected a number as the loss of {task!r}, found {loss!r}")
        losses[task] = float(loss)
    return losses


def _softmax(logits: Mapping[str, float]) -> Shares:
    most = max(logits.values())
    powers = {arm: math.exp(value - most) for arm, value in logits.items()}
    return {arm: power / sum(powers.values()) for arm, power in powers.items()}
