"""Meta-World's fifty tasks: what is recorded by default, and what else works."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Noise, Source, Suite, Task

EPISODE_STEPS = 500

# Short, smooth expert motions that need little precision.
_DEFAULT = (
    "button-press-topdown-v3", "door-close-v3", "drawer-close-v3", "handle-press-v3", "window-close-v3",
    "window-open-v3",
)  # fmt: skip
_MORE = (
    "basketball-v3", "bin-picking-v3", "box-close-v3", "button-press-topdown-wall-v3", "button-press-v3",
    "button-press-wall-v3", "coffee-button-v3", "coffee-pull-v3", "coffee-push-v3", "dial-turn-v3", "disassemble-v3",
    "door-lock-v3", "door-open-v3", "door-unlock-v3", "drawer-open-v3", "faucet-close-v3", "faucet-open-v3",
    "hammer-v3", "hand-insert-v3", "handle-press-side-v3", "handle-pull-side-v3", "handle-pull-v3", "lever-pull-v3",
    "peg-insert-side-v3", "peg-unplug-side-v3", "pick-out-of-hole-v3", "pick-place-v3", "pick-place-wall-v3",
    "plate-slide-back-side-v3", "plate-slide-back-v3", "plate-slide-side-v3", "plate-slide-v3", "push-back-v3",
    "push-v3", "push-wall-v3", "reach-v3", "reach-wall-v3", "shelf-place-v3", "soccer-v3", "stick-pull-v3",
    "stick-push-v3", "sweep-into-v3", "sweep-v3",
)  # fmt: skip


def _task(task: str, *, default=False, held_out=False) -> Task:
    name = "metaworld." + task.removesuffix("-v3").replace("-", "_")

    def environment() -> Environment:
        from data_pipelines.suites.metaworld.environment import MetaWorldEnvironment

        return MetaWorldEnvironment(name, task=task, episode_steps=EPISODE_STEPS)

    def expert():
        from data_pipelines.suites.metaworld.expert import MetaWorldExpert

        return MetaWorldExpert(task)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"Meta-World {task}", expert="Meta-World's scripted policy",
        requires="metaworld", reads="the observation", make_environment=environment, make_expert=expert, bar=1.0,
        episodes=60, chunk=30, seconds=0.3, time_limit=30.0, noise=Noise(0.1, 0.6), default=default, held_out=held_out,
    )  # fmt: skip


SUITE = Suite(
    domain="metaworld",
    extra="demo",
    packages=("mujoco", "metaworld"),
    needs_opengl=True,
    episode_steps=EPISODE_STEPS,
    tasks=(
        *(_task(name, default=True) for name in _DEFAULT),
        *(_task(name) for name in _MORE),
        _task("assembly-v3", held_out=True),
    ),
)
