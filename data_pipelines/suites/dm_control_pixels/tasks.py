"""The benchmark of the DeepMind Control Suite from pictures of 64x64, which OpenGL draws."""

import dataclasses

from data_pipelines.mixtures.table1_names import DM_CONTROL_PIXELS
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Task
from data_pipelines.suites.dm_control.tasks import DEMONSTRATED, HELD_OUT, make_suite, suite_task

DOMAIN = "dm_control_pixels"
_DRAWING = 4.0
"""Seconds for the pictures of an episode."""


def _task(task: str) -> Task:
    name = f"{DOMAIN}.{task}"

    def environment() -> Environment:
        from data_pipelines.suites.dm_control_pixels.environment import DmControlPixelsEnvironment

        return DmControlPixelsEnvironment(name, task=task)

    recorded = DEMONSTRATED.get(task)
    if recorded is not None:  # Physics and expert are those of the states; pictures are dear, so there are no `starts`.
        recorded = dataclasses.replace(recorded, starts=None, default=False, seconds=recorded.seconds + _DRAWING)
    return suite_task(
        name, task, environment, recorded=recorded, origin=", pictures", draws=True, held_out=task == HELD_OUT,
    )  # fmt: skip


SUITE = make_suite(DOMAIN, map(_task, DM_CONTROL_PIXELS))
