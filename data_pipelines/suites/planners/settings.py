"""How planners are set, as data: the catalog reads it without a simulator, and recordings and scores say it."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from data_pipelines.config_json import encode

PLANNER = "planner"
"""Its key in `Task.settings`."""


@dataclasses.dataclass(frozen=True)
class Mppi:
    """Settings of the planner.

    Args:
      horizon: seconds that a plan looks ahead.
      knots: points of the plan, joined by straight lines.
      samples: plans simulated at a time, the current one among them.
      sigma: standard deviation of the perturbation, for controls in [-1, 1].
      fine: the perturbation of the last sample, as a share of that of the first: 1 perturbs all alike.
      replan: environment steps between two plans.
      temperature: of the softmax over returns, as a share of their range; 0 takes the best plan.
      timestep: seconds per simulation step inside the planner; 0 takes the environment's.
      iterations: plans made in a row at each replanning.
      warmup: plans made before the first action, so that first labels are no noise.
      hold: whether simulated plans hold a control for a whole environment step, as the environment does, instead of
        following the straight lines: for worlds that fall within a few steps.
      judged: states of each plan whose reward the world is asked for; a `Reward` takes them all.
    """

    horizon: float
    knots: int = 6
    samples: int = 32
    sigma: float = 0.4
    fine: float = 1.0
    replan: int = 2
    temperature: float = 0.1
    timestep: float = 0.0
    iterations: int = 1
    warmup: int = 0
    hold: bool = False
    judged: int = 10


@dataclasses.dataclass(frozen=True)
class Regulator:
    """Settings of the regulator.

    Args:
      state_costs: price of the square of each position and velocity [2 nv]; () takes the reward's curvature, of states
        and of controls.
      control_cost: price of the square of a control; used with `state_costs` only.
    """

    state_costs: tuple[float, ...] = ()
    control_cost: float = 1.0


def described(planner: Any, unnamed: str = "") -> Mapping[str, Any]:
    """What `Task.settings` says of a planner, so that data and scores of other settings are not taken for these.

    Args:
      planner: a frozen dataclass of settings. Fields at their defaults are left out, so that a planner can get new
        ones: who changes a default changes data that does not say so.
      unnamed: `digest` of the settings with which data was recorded before it named them. Equal ones stay unnamed, so
        that such data is still reused; "" where there is no such data.
    """
    settings = _without_defaults(planner)
    return {} if digest(planner) == unnamed else {PLANNER: settings}


def digest(planner: Any) -> str:
    """Eight hexadecimal digits that stand for the settings."""
    return hashlib.sha256(json.dumps(_without_defaults(planner), sort_keys=True).encode()).hexdigest()[:8]


def _without_defaults(value: Any) -> Any:
    if not dataclasses.is_dataclass(value):
        return encode(value)
    fields = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
    return {field.name: _without_defaults(part) for field, part in fields if part != field.default}
