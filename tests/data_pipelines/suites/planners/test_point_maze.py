"""A point that is pushed through cells: the way round the wall is taken, and kept under noise."""

from types import SimpleNamespace

import dm_env
import numpy as np
import pytest

from data_pipelines.suites.planners.point_maze import PointMazeExpert
from data_pipelines.suites.planners.search import NoPlan

U_MAZE = ["#####", "#...#", "###.#", "#...#", "#####"]


class Maze:
    """The maze of a drawing, with the methods of gymnasium-robotics' `Maze`; cells have sides of 1."""

    def __init__(self, lines):
        self.maze_map = [[1 if sign == "#" else 0 for sign in line] for line in lines]

    def cell_rowcol_to_xy(self, cell):
        return np.array([cell[1] + 0.5, -cell[0] - 0.5])

    def cell_xy_to_rowcol(self, position):
        return np.array([np.floor(-position[1]), np.floor(position[0])])


def follow(lines, start, goal, noise=0.0):
    """How far from the goal a point is after 8 s, and the cells that it was in. Walls stop it."""
    maze, rng = Maze(lines), np.random.default_rng(0)
    expert = PointMazeExpert()
    expert.reset(SimpleNamespace(simulation=SimpleNamespace(maze=maze)), 0)
    position, velocity, cells = maze.cell_rowcol_to_xy(start), np.zeros(2), []
    aim = maze.cell_rowcol_to_xy(goal) + 0.2
    for _ in range(400):
        state = np.concatenate([position, velocity])
        observation = {"achieved_goal": position, "desired_goal": aim, "observation": state}
        force = expert.act(dm_env.restart(observation))
        assert force.dtype == np.float32
        assert np.abs(force).max() <= 1.0
        velocity = velocity + 0.1 * np.clip(force + noise * rng.normal(size=2), -1, 1)
        for axis in range(2):
            moved = position.copy()
            moved[axis] += 0.02 * velocity[axis]
            row, column = maze.cell_xy_to_rowcol(moved).astype(int).tolist()
            if maze.maze_map[row][column] == 1:
                velocity[axis] = 0.0
            else:
                position = moved
        cell = tuple(maze.cell_xy_to_rowcol(position).astype(int).tolist())
        if cell not in cells:
            cells.append(cell)
    return np.linalg.norm(position - aim), cells


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_point_goes_round_the_wall_and_stays_at_the_goal(noise):
    distance, cells = follow(U_MAZE, (1, 1), (3, 1), noise)
    assert distance < 0.1 + noise / 2
    assert cells == [(1, 1), (1, 2), (1, 3), (2, 3), (3, 3), (3, 2), (3, 1)]


def test_a_goal_behind_walls():
    with pytest.raises(NoPlan, match="no plan exists"):
        follow(["#####", "#.#.#", "#####"], (1, 1), (1, 3))
