"""Who demonstrates in MuJoCo environments of gymnasium: planners, as `planned` sets them."""

from data_pipelines.suites.base.expert import Expert
from data_pipelines.suites.gymnasium_mujoco.planned import PLANNED
from data_pipelines.suites.planners.mppi import MppiExpert
from data_pipelines.suites.planners.regulator import RegulatorExpert
from data_pipelines.suites.planners.settings import Regulator


def make_expert(identifier: str) -> Expert:
    """The planner of an id among `PLANNED`."""
    settings = PLANNED[identifier]
    return RegulatorExpert(settings) if isinstance(settings, Regulator) else MppiExpert(settings)
