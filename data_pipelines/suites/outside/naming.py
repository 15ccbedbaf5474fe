"""Names of tasks from outside: legal for files, for SeqIO, and for our own domains."""

import re

from data_pipelines.spec import GYMNASIUM, World
from data_pipelines.suites.outside.objects import WorldError


def task_name(world: World) -> str:
    """Of a task that nobody named: gymnasium:Pendulum-v1 -> gymnasium.pendulum_v1, a.b:Make -> a.make."""
    domain, _, rest = world.task.partition(":")
    rest = rest.rpartition(":")[2]
    domain = GYMNASIUM if world.is_gymnasium else domain.partition(".")[0]
    return f"{domain}.{re.sub(r'[^a-z0-9]+', '_', rest.lower()).strip('_')}"


def check_task_name(name: str) -> None:
    """Raises `WorldError` unless a name is a domain, a dot and a task, of letters, digits and underscores."""
    if not re.fullmatch(r"\w+\.\w+", name, re.ASCII):
        raise WorldError(
            f"a task is named domain.task, of letters, digits and '_', found {name!r}; give another, --name"
        )
