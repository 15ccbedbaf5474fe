"""Who demonstrates in MuJoCo environments of gymnasium: planners, with their settings."""

from collections.abc import Callable

from data_pipelines.suites.base.expert import Expert
from data_pipelines.suites.planners.mppi import Mppi, MppiExpert
from data_pipelines.suites.planners.regulator import RegulatorExpert

EXPERTS: dict[str, Callable[[], Expert]] = {
    # Their rewards hardly tell states apart in which the pole stands: the costs are those of leaving the upright state.
    "InvertedPendulum-v5": lambda: RegulatorExpert(state_costs=[1.0] * 4),
    "InvertedDoublePendulum-v5": lambda: RegulatorExpert(state_costs=[1.0] * 6),
    "Reacher-v5": lambda: MppiExpert(
        Mppi(horizon=0.3, knots=4, samples=48, sigma=0.15, fine=0.1, replan=1, temperature=0.02, warmup=5, judged=15)
    ),
}
"""By id."""
