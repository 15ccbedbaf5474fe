"""DeepMind Control Suite tasks that the planner can demonstrate."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Noise, Source, Starts, Suite, Task


def _task(
    task: str, *, bar: float, episodes: int, chunk: int, seconds: float, starts: Starts | None = None,
    default: bool = False, held_out: bool = False,
) -> Task:  # fmt: skip
    name = f"dm_control.{task}"
    domain, _, suite_task = task.rpartition("_")

    def environment() -> Environment:
        from data_pipelines.suites.dm_control.environment import DmControlEnvironment

        return DmControlEnvironment(name, domain=domain, task=suite_task)

    def expert():
        from data_pipelines.suites.dm_control.expert import make_expert

        return make_expert(task)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"dm_control suite {domain}/{suite_task}",
        expert="MPPI planner on mujoco.rollout", requires="dm_control", make_environment=environment,
        make_expert=expert, bar=bar, episodes=episodes, chunk=chunk, seconds=seconds, noise=Noise(0.05, 0.4),
        starts=starts, default=default, held_out=held_out,
    )  # fmt: skip


SUITE = Suite(
    domain="dm_control",
    packages=("mujoco", "dm-control"),
    needs_opengl=True,
    episode_steps=1000,
    tasks=(
        _task(
            "cartpole_balance", bar=800, episodes=6, chunk=3, seconds=2.6, starts=Starts(16, 200, 140), default=True
        ),
        _task(
            "pendulum_swingup", bar=500, episodes=8, chunk=4, seconds=1.7,
            starts=Starts(110, 150, 0, Noise(0.7, 2.0, 0.7, hold=50)), default=True,
        ),
        _task(
            "point_mass_easy", bar=600, episodes=8, chunk=4, seconds=1.1, starts=Starts(50, 300, 5), default=True
        ),
        _task(
            "reacher_easy", bar=700, episodes=8, chunk=4, seconds=1.3,
            starts=Starts(400, 75, 0, Noise(0.3, 1.5, 0.8, hold=10)), default=True,
        ),
        _task("reacher_hard", bar=700, episodes=8, chunk=4, seconds=2, starts=Starts(60, 150, 30)),
        _task("ball_in_cup_catch", bar=800, episodes=8, chunk=1, seconds=12),
        _task("walker_stand", bar=800, episodes=8, chunk=1, seconds=40),
        _task("walker_walk", bar=700, episodes=8, chunk=1, seconds=25),
        _task("cartpole_swingup", bar=600, episodes=8, chunk=1, seconds=12, held_out=True),
    ),
)  # fmt: skip
