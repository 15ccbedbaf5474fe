"""How planners play MuJoCo environments of gymnasium, as data."""

from collections.abc import Mapping
from typing import Any

from data_pipelines.suites.planners.settings import Mppi, Regulator, described

PLANNED: Mapping[str, Mppi | Regulator] = {
    # Their rewards hardly tell states apart in which the pole stands: the costs are those of leaving the upright state.
    "InvertedPendulum-v5": Regulator(state_costs=(1.0,) * 4),
    "InvertedDoublePendulum-v5": Regulator(state_costs=(1.0,) * 6),
    "Reacher-v5": Mppi(
        horizon=0.3, knots=4, samples=48, sigma=0.15, fine=0.1, replan=1, temperature=0.02, warmup=5, judged=15
    ),
}
"""By id."""

_UNNAMED: Mapping[str, str] = {
    "InvertedDoublePendulum-v5": "213189c8",
    "InvertedPendulum-v5": "1458e8bc",
    "Reacher-v5": "9d6557a3",
}
"""Digests of the settings that tasks had until 2026-11-28, when recordings and scores began to name them."""


def settings(identifier: str) -> Mapping[str, Any]:
    """What recordings and scores say of an id's planner; nothing where it has none."""
    return described(PLANNED[identifier], _UNNAMED.get(identifier, "")) if identifier in PLANNED else {}
