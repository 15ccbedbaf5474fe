"""A demonstrator for mazes through which a point is pushed: a search over cells, and a PD controller."""

from collections.abc import Iterator
from typing import Any

import dm_env
import numpy as np

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.search import Step, search

POSITION_GAIN, VELOCITY_GAIN = 10.0, 1.0
"""Force for a distance of one cell, and against a velocity of one cell a second; forces are clipped to [-1, 1]."""

WALL = 1
"""As gymnasium-robotics writes it into the maps of its mazes."""

Cell = tuple[int, int]


class PointMazeExpert:
    """Heads for the middle of the next cell on the shortest way, and in the last cell for the goal itself.

    `env.simulation.maze` is the `Maze` of gymnasium-robotics. The way is looked up anew in every cell, so the expert
    copes with noise on its actions and with goals that move.
    """

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        self._maze: Any = env.simulation.maze
        self._next: dict[tuple[Cell, Cell], Cell] = {}

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        position, goal = timestep.observation["achieved_goal"], timestep.observation["desired_goal"]
        velocity = timestep.observation["observation"][2:]
        here, there = self._cell(position), self._cell(goal)
        aim = goal if here == there else self._maze.cell_rowcol_to_xy(np.array(self._step(here, there)))
        force = POSITION_GAIN * (aim - position) - VELOCITY_GAIN * velocity
        return np.clip(force, -1.0, 1.0).astype(np.float32)

    def _cell(self, position: np.ndarray) -> Cell:
        row, column = self._maze.cell_xy_to_rowcol(position)
        return int(row), int(column)

    def _step(self, here: Cell, there: Cell) -> Cell:
        """The next cell on the way."""
        if (here, there) not in self._next:
            node = search(here, self._neighbours, lambda cell: cell == there)
            self._next[here, there] = node.path()[0].state
        return self._next[here, there]

    def _neighbours(self, cell: Cell) -> Iterator[Step]:
        for row, column in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            after = (cell[0] + row, cell[1] + column)
            # The outermost cells are walls, so no index is out of range.
            if self._maze.maze_map[after[0]][after[1]] != WALL:
                yield Step(after, after)
