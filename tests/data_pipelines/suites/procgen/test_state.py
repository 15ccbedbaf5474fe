"""What is read from a saved state is where the level's things are."""

import numpy as np
import pytest

from data_pipelines.suites import catalog

pytest.importorskip("procgen", reason="procgen2 is not installed")

from data_pipelines.suites.procgen.expert import _remaining, _value
from data_pipelines.suites.procgen.planning import GAMES, Way
from data_pipelines.suites.procgen.state import read_level

RIGHT, SHOOT = 7, 9
WALL = 51


@pytest.fixture
def maze():
    env = catalog.make("procgen.maze")
    env.reset_to(1)
    yield env
    env.close()


def test_the_agent_moves_and_the_walls_do_not(maze):
    before = read_level(maze.get_state().game)
    places = [before.agent["x"]]
    for _ in range(3):
        maze.step(RIGHT)
        places.append(read_level(maze.get_state().game).agent["x"])
    after = read_level(maze.get_state().game)
    np.testing.assert_array_equal(before.grid, after.grid)
    assert before.grid.shape[0] == before.grid.shape[1] > 3
    steps = np.diff(places)
    assert set(steps.tolist()) <= {0.0, 1.0}
    column, row = int(before.agent["x"]), int(before.agent["y"])
    assert steps[0] == (before.grid[row, column + 1] != WALL)


def test_a_way_goes_around_walls(maze):
    level = read_level(maze.get_state().game)
    cheese = tuple(np.argwhere(level.grid == 2)[0])
    way = _remaining(Way(1.0, blocked=(WALL,), cells=(2,)), level)
    straight = abs(cheese[0] - int(level.agent["y"])) + abs(cheese[1] - int(level.agent["x"]))
    assert straight <= way < level.grid.size
    assert _remaining(Way(1.0, blocked=(), cells=(2,)), level) == straight
    assert _remaining(Way(1.0, blocked=(), cells=(77,)), level) == 0.0


def test_a_supply_is_what_an_episode_lasts_on():
    """Plunder begins with all of it; time takes of it, and every shot."""
    env = catalog.make("procgen.plunder")
    env.reset_to(2)
    plan = GAMES["plunder"].plan
    _, worth = plan.supply
    assert _value(plan, env) == pytest.approx(worth)
    for _ in range(4):
        env.step(SHOOT)
    # No shot is fired in the first two steps, nor within three of another one; none has hit anything yet.
    assert _value(plan, env) == pytest.approx(worth * (1 - 4 * 0.0015 - 0.02), abs=1e-4)
    env.close()


def test_another_layout_is_an_error():
    with pytest.raises(ValueError, match="a state of 40 bytes is laid out unlike those of Procgen"):
        read_level(bytes(40))
