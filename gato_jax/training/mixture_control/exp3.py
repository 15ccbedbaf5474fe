"""A bandit over the mixture: EXP3 (Albalak et al. 2023, arXiv 2312.02406)."""

import math
from collections.abc import Mapping
from typing import Any

from gato_jax.config import BanditConfig, Reward
from gato_jax.training.mixture_control.arms import Deal, softmax


class Bandit:
    """EXP3 with a moving average of importance-weighted rewards, and an exploration that falls with the steps.

    As in the paper: with K arms, after t steps, e(t) = min(1 / K, sqrt(ln K / (K t))), and the share of an arm is
    (1 - K e(t)) softmax(e(last t) reward) + e(t), where reward <- memory * reward + (1 - memory) * found / share of the
    rows that found it. Otherwise: one update is made per data segment, t counts steps; all arms with targets are
    rewarded, as a segment shows all of them; the run starts from the mixture's weights; `rate` multiplies rewards, and
    a reward may be the fall of the loss.
    """

    def __init__(self, config: BanditConfig, deal: Deal, reseed_every: int):
        self._config, self._deal, self._steps = config, deal, reseed_every
        self._reward = dict.fromkeys(deal.shares, 0.0)
        self._last: dict[str, float] = {}
        self._exploration = 1 / len(deal.shares)
        # Shares in the segment that will end next, and in the one after it.
        self._in_force, self._next = dict(deal.shares), dict(deal.shares)

    def update(self, segment: int, losses: Mapping[str, float]) -> Mapping[str, float] | None:
        arm_losses, memory, arms = self._deal.losses(losses), self._config.memory, len(self._reward)
        for arm, loss in arm_losses.items():
            reward = loss if self._config.reward is Reward.LOSS else self._last.get(arm, loss) - loss
            self._reward[arm] = memory * self._reward[arm] + (1 - memory) * reward / self._in_force[arm]
        self._last |= arm_losses
        said = None
        if arm_losses:
            before, steps = self._exploration, (segment + 1) * self._steps
            self._exploration = least = min(1 / arms, math.sqrt(math.log(arms) / (arms * steps)))
            logits = {arm: self._config.rate * before * reward for arm, reward in self._reward.items()}
            said = {arm: (1 - arms * least) * share + least for arm, share in softmax(logits).items()}
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
