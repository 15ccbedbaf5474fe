"""RGB stacking with the five triplets of test objects (Lee et al., 2021), the paper's row RGB Stacking simulator."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task

TRIPLETS = (1, 2, 3, 4, 5)
EPISODE_STEPS = 400


def _task(triplet: int) -> Task:
    name = f"rgb_stacking_sim.triplet{triplet}"

    def environment() -> Environment:
        from data_pipelines.suites.rgb_stacking_sim.environment import RgbStackingEnvironment

        return RgbStackingEnvironment(name, triplet=triplet, episode_steps=EPISODE_STEPS)

    def expert():
        from data_pipelines.suites.rgb_stacking_sim.expert import StackingExpert

        return StackingExpert()

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"RGB stacking, test triplet {triplet}",
        expert="scripted grasp and placement", requires="dm_robotics",
        reads="privileged: the poses of the objects", make_environment=environment, make_expert=expert, bar=50,
        episodes=20, chunk=4, seconds=15, draws=True,
    )  # fmt: skip


SUITE = Suite(
    domain="rgb_stacking_sim",
    install="pip install --no-deps --require-hashes -r constraints-worlds-nodeps.txt",
    packages=(
        "mujoco", "dm-control", "dm-robotics-moma", "dm-robotics-manipulation", "dm-robotics-transformations",
    ),
    needs_opengl=True,
    episode_steps=EPISODE_STEPS,
    optional=True,
    tasks=tuple(_task(triplet) for triplet in TRIPLETS),
)  # fmt: skip
