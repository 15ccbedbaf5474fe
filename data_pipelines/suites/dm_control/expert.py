"""Who plays suite tasks: the planner as `planned` sets it, regulators, and trained policies."""

from data_pipelines.suites.dm_control import guides, replicas
from data_pipelines.suites.dm_control.planned import REGULATED, TASKS
from data_pipelines.suites.dm_control.trained import POLICIES
from data_pipelines.suites.planners.mppi import MppiExpert
from data_pipelines.suites.planners.regulator import RegulatorExpert
from data_pipelines.suites.trained.policy import PolicyExpert


def make_expert(name: str) -> MppiExpert | RegulatorExpert | PolicyExpert:
    """Who plays one of `POLICIES`, `REGULATED` or `TASKS`."""
    if name in POLICIES:
        return PolicyExpert(POLICIES[name])
    if name in REGULATED:
        return RegulatorExpert(REGULATED[name])
    task = TASKS[name]
    guide = getattr(guides, task.guide) if task.guide else None
    return MppiExpert(
        task.settings,
        reward=getattr(replicas, task.replica) if task.replica else None,
        guide=None if guide is None else lambda world: guide(world.physics),
    )
