"""DoReMi: group DRO over the mixture (Xie et al. 2023, arXiv 2305.10429)."""

import math
from collections.abc import Mapping
from typing import Any

from gato_jax.config import DoremiConfig
from gato_jax.training.mixture_control.arms import Deal, softmax


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
        arm_losses = self._deal.losses(losses)
        if not arm_losses:
            return None
        # An arm without targets in this segment keeps its last excess: it must not be forgotten because it is rare.
        self._excess |= {arm: max(loss - self._reference[arm], 0.0) for arm, loss in arm_losses.items()}
        step, smoothing = self._config.step_size, self._config.smoothing
        grown = softmax({arm: math.log(share) + step * self._excess[arm] for arm, share in self._shares.items()})
        self._shares = {arm: (1 - smoothing) * share + smoothing / len(grown) for arm, share in grown.items()}
        return self._deal.weights(self._shares)

    def state(self) -> dict[str, Any]:
        return {"shares": self._shares, "excess": self._excess}

    def restore(self, state: dict[str, Any]) -> None:
        self._shares, self._excess = dict(state["shares"]), dict(state["excess"])
