"""All tasks of the DeepMind Control Suite, and how those are recorded that the planner can demonstrate."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from data_pipelines.mixtures.table1_names import DM_CONTROL
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.recorded import READS_MODEL, READS_STATE, REGULATOR, TRAINED, Recorded
from data_pipelines.suites.base.suite import Noise, Source, Starts, Suite, Task
from data_pipelines.suites.dm_control import planned, trained
from data_pipelines.suites.trained.settings import described

EPISODE_STEPS = 1000
"""Every suite task runs for so many control steps."""
NOISE = Noise(0.05, 0.4)
HELD_OUT = "cartpole_swingup"
"""What the paper keeps for learning from few episodes."""

DEMONSTRATED: Mapping[str, Recorded] = {
    "cartpole_balance": Recorded(bar=800, episodes=6, chunk=3, seconds=2.6, starts=Starts(16, 200, 140), default=True),
    "pendulum_swingup": Recorded(
        bar=500, episodes=8, chunk=4, seconds=1.7, starts=Starts(110, 150, 0, Noise(0.7, 2.0, 0.7, hold=50)),
        default=True,
    ),
    "point_mass_easy": Recorded(bar=600, episodes=8, chunk=4, seconds=1.1, starts=Starts(50, 300, 5), default=True),
    "reacher_easy": Recorded(
        bar=700, episodes=8, chunk=4, seconds=1.3, starts=Starts(400, 75, 0, Noise(0.3, 1.5, 0.8, hold=10)),
        default=True,
    ),
    "reacher_hard": Recorded(bar=700, episodes=8, chunk=4, seconds=2, starts=Starts(60, 150, 30)),
    "ball_in_cup_catch": Recorded(bar=800, episodes=8, chunk=1, seconds=6),
    "walker_stand": Recorded(bar=800, episodes=8, chunk=1, seconds=40),
    "walker_walk": Recorded(bar=700, episodes=8, chunk=1, seconds=25),
    "cartpole_swingup": Recorded(bar=600, episodes=8, chunk=1, seconds=2),
    "cartpole_balance_sparse": Recorded(bar=800, episodes=8, chunk=2, seconds=2),
    "cartpole_swingup_sparse": Recorded(bar=500, episodes=8, chunk=1, seconds=2),
    "point_mass_hard": Recorded(bar=600, episodes=8, chunk=2, seconds=7),
    "fish_upright": Recorded(bar=800, episodes=8, chunk=1, seconds=10),
    "fish_swim": Recorded(bar=500, episodes=8, chunk=1, seconds=38),
    "finger_turn_easy": Recorded(bar=700, episodes=8, chunk=1, seconds=4),
    "finger_turn_hard": Recorded(bar=700, episodes=8, chunk=1, seconds=4),
    "quadruped_walk": Recorded(bar=700, episodes=8, chunk=1, seconds=40),
    "manipulator_bring_ball": Recorded(bar=500, episodes=8, chunk=1, seconds=90),
    "cheetah_run": Recorded(bar=600, episodes=20, chunk=10, seconds=0.3, expert=TRAINED, reads=READS_STATE),
    "finger_spin": Recorded(bar=600, episodes=20, chunk=10, seconds=0.3, expert=TRAINED, reads=READS_STATE),
    "lqr_lqr_2_1": Recorded(bar=None, episodes=8, chunk=8, seconds=0.1, expert=REGULATOR, reads=READS_MODEL),
    "lqr_lqr_6_2": Recorded(bar=None, episodes=8, chunk=8, seconds=0.2, expert=REGULATOR, reads=READS_MODEL),
}  # fmt: skip
"""Tasks that `dm_control.expert` plays."""

_LONG_DOMAINS = {"ball_in_cup": "ball_in_cup", "humanoid_cmu": "humanoid_CMU", "point_mass": "point_mass"}


def suite_names(task: str) -> tuple[str, str]:
    """Domain and task as the suite calls them: "humanoid_cmu_run" -> ("humanoid_CMU", "run")."""
    for ours, domain in _LONG_DOMAINS.items():
        if task.startswith(f"{ours}_"):
            return domain, task.removeprefix(f"{ours}_")
    domain, _, suite_task = task.partition("_")
    return domain, suite_task


def make_expert(task: str) -> Callable[[], Any] | None:
    """What makes the expert of a task of the suite, for all worlds with its bodies; None where there is none."""
    if task not in DEMONSTRATED:
        return None

    def expert():
        from data_pipelines.suites.dm_control import expert as experts

        return experts.make_expert(task)

    return expert


def suite_task(
    name: str, task: str, environment: Callable[[], Environment], *, recorded: Recorded | None, origin: str = "",
    **fields: Any,
) -> Task:  # fmt: skip
    """A world with the bodies and rewards of the suite's `task`.

    Args:
      name: in the catalog.
      task: ours in `DM_CONTROL`.
      environment: makes the world.
      recorded: how it is recorded; None where nobody demonstrates it.
      origin: what is other than in the suite, in words.
      fields: further ones of `Task`.
    """
    how: dict[str, Any] = {"expert": ""}
    if recorded:
        how = {**vars(recorded), "settings": {**_settings(task), **fields.pop("settings", {})}}
    domain, suite_name = suite_names(task)
    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"dm_control suite {domain}/{suite_name}{origin}",
        requires="dm_control", make_environment=environment, make_expert=make_expert(task) if recorded else None,
        noise=NOISE, **how, **fields,
    )  # fmt: skip


def _settings(task: str) -> Mapping[str, Any]:
    """What recordings and scores say of who demonstrates a task."""
    return described(trained.POLICIES[task]) if task in trained.POLICIES else planned.settings(task)


def _task(task: str) -> Task:
    name = f"dm_control.{task}"
    domain, suite_name = suite_names(task)

    def environment() -> Environment:
        from data_pipelines.suites.dm_control.environment import DmControlEnvironment

        return DmControlEnvironment(name, domain=domain, task=suite_name, episode_steps=EPISODE_STEPS)

    return suite_task(name, task, environment, recorded=DEMONSTRATED.get(task), held_out=task == HELD_OUT)


def make_suite(domain: str, tasks: Iterable[Task], *, episode_steps: int = EPISODE_STEPS) -> Suite:
    """Tasks that run on dm_control."""
    return Suite(
        domain=domain,
        packages=("mujoco", "dm-control"),
        needs_opengl=True,
        episode_steps=episode_steps,
        optional=sys.version_info >= (3, 13),  # It needs labmaze, which has no wheel there (setup.py).
        tasks=tuple(tasks),
    )


SUITE = make_suite("dm_control", map(_task, DM_CONTROL))
