"""The model of a level does what MiniGrid does, small plans are the shortest, and levels accept plans."""

from types import SimpleNamespace

import gymnasium
import minigrid  # noqa: F401  (its import registers the levels with gymnasium)
import numpy as np
import pytest
from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.core.world_object import Ball, Box, Door, Goal, Key, Lava, Wall
from minigrid.minigrid_env import MiniGridEnv

from data_pipelines.suites.planners.grid_world.expert import GridWorldExpert
from data_pipelines.suites.planners.grid_world.goals import NoGoal, goals_of
from data_pipelines.suites.planners.grid_world.plan import plan
from data_pipelines.suites.planners.grid_world.world import (
    DROP,
    FORWARD,
    LEFT,
    NOTHING,
    PICKUP,
    RIGHT,
    TOGGLE,
    GridWorld,
)
from data_pipelines.suites.planners.search import Limits, NoPlan, Step, search

LIMITS = Limits(nodes=3000, seconds=20.0)
THROUGH = (TOGGLE, FORWARD, FORWARD)
"""Past a door, and on."""
THINGS = {
    "#": Wall, "G": Goal, "L": Lava, "o": Ball, "k": lambda: Key("red"), "d": lambda: Door("blue"),
    "D": lambda: Door("red", is_locked=True), "b": lambda: Box("grey", Key("red")),
}  # fmt: skip


class Drawn(MiniGridEnv):
    """A level from a drawing; the agent stands at `>` and looks to the right."""

    def __init__(self, text):
        self._lines = text.split()
        super().__init__(
            MissionSpace(lambda: "reach the goal"), width=len(self._lines[0]), height=len(self._lines), max_steps=200
        )

    def _gen_grid(self, width, height):
        self.grid = Grid(width, height)
        for row, line in enumerate(self._lines):
            for column, sign in enumerate(line):
                if sign in THINGS:
                    self.put_obj(THINGS[sign](), column, row)
                elif sign == ">":
                    self.agent_pos, self.agent_dir = (column, row), 0
        self.mission = "reach the goal"


def drawn(text):
    level = Drawn(text)
    level.reset(seed=0)
    return level


def plan_of(text):
    world = GridWorld(drawn(text))
    return plan(world, world.read(), goals_of(world)[0], limits=LIMITS)


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("##### #>.G# #####", [FORWARD, FORWARD]),
        ("##### #>..# #.LG# #...# #####", [FORWARD, FORWARD, RIGHT, FORWARD]),
        ("##### #>dG# #####", [*THROUGH]),
        ("###### #.>DG# #k.### ######", [RIGHT, FORWARD, RIGHT, PICKUP, RIGHT, FORWARD, RIGHT, *THROUGH]),
        ("######## #b>..DG# ########", [LEFT, LEFT, TOGGLE, PICKUP, LEFT, LEFT, FORWARD, FORWARD, *THROUGH]),
    ],
)  # fmt: skip
def test_the_shortest_plan_of_small_levels(text, actions):
    assert plan_of(text) == actions


def test_what_blocks_the_way_is_carried_off():
    """The hand holds one thing."""
    assert plan_of("###### #.>oG# ######") == [PICKUP, FORWARD, FORWARD]
    behind = [LEFT, LEFT, DROP, LEFT, LEFT]
    assert plan_of("####### #.>ooG# #######") == [PICKUP, FORWARD, *behind, PICKUP, FORWARD, FORWARD]


def test_a_key_behind_its_own_door_is_found_to_be_there_without_a_search():
    with pytest.raises(NoPlan, match="locked doors without a key"):
        plan_of("######## #.>Dk.# #o.##G# ########")


@pytest.mark.parametrize("text", ["###### #>#.G# ######", "##### #>LG# #####", "###### #.>DG# ######"])
def test_a_level_without_a_way(text):
    with pytest.raises(NoPlan, match="no plan exists"):
        plan_of(text)


LEVELS = ("MiniGrid-KeyCorridorS3R2-v0", "MiniGrid-ObstructedMaze-1Dlhb-v0", "MiniGrid-BlockedUnlockPickup-v0")


def opened(level, seed):
    env = gymnasium.make(level, disable_env_checker=True).unwrapped
    env.reset(seed=seed)
    return env


@pytest.mark.parametrize("level", LEVELS)
def test_the_model_does_what_minigrid_does(level):
    """Random actions, of which those that touch something are frequent."""
    env, rng = opened(level, 1), np.random.default_rng(0)
    world = GridWorld(env)
    state, touched = world.read(), set()
    for action in rng.choice(7, 1500, p=[0.1, 0.15, 0.35, 0.15, 0.1, 0.1, 0.05]):
        expected = world.apply(state, int(action))
        env.step(int(action))
        if expected != state:
            touched.add(int(action))
        state = world.read()
        assert state == expected
    assert touched >= {LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE}


@pytest.mark.parametrize("seed", range(3))
def test_plans_are_as_short_as_those_of_a_search_over_single_actions(seed):
    env = opened("MiniGrid-DoorKey-5x5-v0", seed)
    world = GridWorld(env)
    start, (goal,) = world.read(), goals_of(world)

    def successors(state):
        return [Step(action, world.apply(state, action)) for action in range(6)]

    shortest = search(start, successors, lambda state: state.cell in goal.cells)
    assert len(plan(world, start, goal, limits=LIMITS)) == shortest.cost


SOLVED = (
    "MiniGrid-Fetch-5x5-N2-v0", "MiniGrid-GoToDoor-5x5-v0", "MiniGrid-GoToObject-6x6-N2-v0", "MiniGrid-MemoryS7-v0",
    "MiniGrid-PutNear-6x6-N2-v0", "MiniGrid-RedBlueDoors-6x6-v0", "MiniGrid-Unlock-v0", "MiniGrid-UnlockPickup-v0",
    "MiniGrid-Dynamic-Obstacles-5x5-v0", "BabyAI-KeyInBox-v0", "BabyAI-PutNextS5N2Carrying-v0",
    "BabyAI-UnlockToUnlock-v0", "BabyAI-GoToSeqS5R2-v0", *LEVELS,
)  # fmt: skip


@pytest.mark.parametrize("level", SOLVED)
def test_levels_accept_the_plans(level):
    env, expert = opened(level, 3), GridWorldExpert(LIMITS)
    expert.reset(SimpleNamespace(level=env), 3)
    reward, terminated, truncated = 0, False, False
    while not (terminated or truncated):
        _, reward, terminated, truncated, _ = env.step(int(expert.act(None)))
    assert reward > 0


def test_an_action_that_went_wrong_is_made_good():
    env, expert = opened("MiniGrid-DoorKey-5x5-v0", 0), GridWorldExpert(LIMITS)
    expert.reset(SimpleNamespace(level=env), 0)
    rng, reward, done = np.random.default_rng(0), 0, False
    while not done:
        action = int(expert.act(None))
        _, reward, terminated, truncated, _ = env.step(int(rng.integers(6)) if rng.random() < 0.2 else action)
        done = terminated or truncated
    assert reward > 0


def test_a_level_that_asks_for_nothing():
    world = GridWorld(opened("MiniGrid-Playground-v0", 0))
    with pytest.raises(NoGoal, match="PlaygroundEnv asks for nothing"):
        goals_of(world)


def test_a_reading_tells_what_is_in_the_hand():
    env = drawn("##### #>k.# #####")
    world = GridWorld(env)
    assert world.read().carrying == NOTHING
    env.step(PICKUP)
    assert (world.read().carrying, world.read().places) == (0, (-1,))
