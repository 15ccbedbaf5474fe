"""The tasks of the suites with perturbed bodies.

The paper has 26 tasks with small and 26 with large perturbations, and names neither. Here they are the benchmark's 28
without `cartpole_swingup`, which the paper holds out of training, and its sparse form, which is the same body and goal.
"""

import dataclasses

from data_pipelines.config_json import encode
from data_pipelines.mixtures.table1_names import DM_CONTROL_PIXELS as BENCHMARK
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Suite, Task
from data_pipelines.suites.dm_control.factors import Factors
from data_pipelines.suites.dm_control.tasks import DEMONSTRATED, HELD_OUT, make_suite, suite_task
from data_pipelines.suites.dm_control.trained import POLICIES

NAMES = tuple(name for name in BENCHMARK if not name.startswith(HELD_OUT))


def perturbed_suite(domain: str, factors: Factors) -> Suite:
    """The 26 tasks with bodies that are perturbed by these factors."""
    return make_suite(domain, (_task(f"{domain}.{task}", task, factors) for task in NAMES))


def _task(name: str, task: str, factors: Factors) -> Task:
    def environment() -> Environment:
        from data_pipelines.suites.dm_control.perturbed_environment import PerturbedEnvironment

        return PerturbedEnvironment(name, task=task, factors=factors)

    recorded = None if task in POLICIES else DEMONSTRATED.get(task)  # a trained policy knows one body only
    if recorded is not None:
        recorded = dataclasses.replace(recorded, starts=None, default=False)
    return suite_task(
        name, task, environment, recorded=recorded, origin=", perturbed bodies",
        settings={"factors": encode(factors)},
    )  # fmt: skip
