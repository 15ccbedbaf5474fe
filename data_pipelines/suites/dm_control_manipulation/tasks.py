"""The manipulation tasks of dm_control: 13 from features, and 12 from a camera, which OpenGL draws."""

import dataclasses
from collections.abc import Mapping

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.recorded import READS_POSES, SCRIPTED_ARM, Recorded
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.dm_control.tasks import make_suite

DOMAIN = "dm_control_manipulation"
EPISODE_STEPS = 250
"""Ten seconds."""
FEATURES, VISION = "features", "vision"
_BOTH = (
    "lift_brick", "lift_large_box", "place_brick", "place_cradle", "reach_duplo", "reach_site",
    "reassemble_3_bricks_fixed_order", "reassemble_5_bricks_random_order", "stack_2_bricks",
    "stack_2_bricks_moveable_base", "stack_2_of_3_bricks_random_order", "stack_3_bricks",
)  # fmt: skip


def _scripted(bar: float, seconds: float) -> Recorded:
    return Recorded(bar, episodes=20, chunk=4, seconds=seconds, expert=SCRIPTED_ARM, reads=READS_POSES)


DEMONSTRATED: Mapping[str, Recorded] = {
    "reach_site": _scripted(bar=120, seconds=0.8),
    "reach_duplo": _scripted(bar=120, seconds=0.8),
    "lift_brick": _scripted(bar=100, seconds=1),
    "place_brick": _scripted(bar=60, seconds=1.5),
    "place_cradle": _scripted(bar=60, seconds=1.5),
    "stack_2_bricks": _scripted(bar=30, seconds=1.5),
    "stack_2_bricks_moveable_base": _scripted(bar=30, seconds=1.5),
    "stack_2_of_3_bricks_random_order": _scripted(bar=30, seconds=1.5),
}
"""Tasks that `expert` plays, whatever is observed. An episode that is kept has its reward for a while."""

_DRAWING = 10.0
"""Seconds for the pictures of an episode."""


def _task(task: str) -> Task:
    name = f"{DOMAIN}.{task}"
    plain, _, kind = task.rpartition("_")
    recorded = DEMONSTRATED.get(plain)
    if recorded is not None and kind == VISION:
        recorded = dataclasses.replace(recorded, seconds=recorded.seconds + _DRAWING)

    def environment() -> Environment:
        from data_pipelines.suites.dm_control_manipulation.environment import ManipulationEnvironment

        return ManipulationEnvironment(name, task=task, episode_steps=EPISODE_STEPS)

    def expert():
        from data_pipelines.suites.dm_control_manipulation.expert import ScriptedArm

        return ScriptedArm(plain)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"dm_control manipulation {task}", requires="dm_control",
        make_environment=environment, make_expert=expert if recorded else None, draws=kind == VISION,
        **(vars(recorded) if recorded else {"expert": ""}),
    )  # fmt: skip


SUITE = make_suite(
    DOMAIN,
    (
        *(_task(f"{task}_{FEATURES}") for task in (*_BOTH, "stack_3_bricks_random_order")),
        *(_task(f"{task}_{VISION}") for task in _BOTH),
    ),
    episode_steps=EPISODE_STEPS,
)
