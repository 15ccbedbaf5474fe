"""The manipulation tasks of dm_control: 13 from features, and 12 from a camera, which OpenGL draws."""

from data_pipelines.suites.base.environment import Environment
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


def _task(task: str) -> Task:
    name = f"{DOMAIN}.{task}"

    def environment() -> Environment:
        from data_pipelines.suites.dm_control_manipulation.environment import ManipulationEnvironment

        return ManipulationEnvironment(name, task=task, episode_steps=EPISODE_STEPS)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"dm_control manipulation {task}", expert="",
        requires="dm_control", make_environment=environment, draws=task.endswith(VISION),
    )  # fmt: skip


SUITE = make_suite(
    DOMAIN,
    (
        *(_task(f"{task}_{FEATURES}") for task in (*_BOTH, "stack_3_bricks_random_order")),
        *(_task(f"{task}_{VISION}") for task in _BOTH),
    ),
    episode_steps=EPISODE_STEPS,
)
