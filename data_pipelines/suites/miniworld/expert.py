"""Walks through MiniWorld's rooms by search over exact moves: the world says where walls and things are."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import dm_env
import numpy as np

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.search import Limits, Step, explore, search

TURN_LEFT, TURN_RIGHT, FORWARD, PICK_UP = 0, 1, 2, 4
_TURN = math.pi / 4
_STRIDE = 0.6
"""Radians and metres that the search takes at a time: several of most worlds' steps."""

_CELL = 0.3
"""Places that are closer than this are the same to the search, in metres."""

_COARSE = 0.4
"""Distance of the points on which the length of the remaining way is estimated, in metres."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the agent stands, and its heading in radians, of which 0 is along x, and pi / 2 against z."""

    x: float
    z: float
    heading: float

    def ahead(self, distance: float) -> "Place":
        return Place(
            self.x + distance * math.cos(self.heading), self.z - distance * math.sin(self.heading), self.heading
        )

    @property
    def position(self) -> np.ndarray:
        """As MiniWorld has positions."""
        return np.array([self.x, 0.0, self.z])


class MiniWorldExpert:
    """Goes to the box, the right one at a sign, or to one thing after the other, and picks them up.

    `env.unwrapped` is gymnasium's environment, whose `unwrapped` has MiniWorld's rooms. Plans when the plan is at its
    end.
    """

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        gymnasium_env: Any = env
        self._world: Any = gymnasium_env.unwrapped.unwrapped
        # Without a random generator these are the lengths of every step.
        self._forward = self._world.params.sample(None, "forward_step")
        self._turns = round(_TURN / math.radians(self._world.params.sample(None, "turn_step")))
        self._actions: list[int] = []

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        if not self._actions:
            self._actions = self._plan()
        return np.asarray(self._actions.pop(0), np.int32)

    def _plan(self) -> list[int]:
        world = self._world
        here = Place(world.agent.pos[0], world.agent.pos[2], world.agent.dir)
        picks_up = hasattr(world, "num_picked_up")
        target = self._nearest(here) if picks_up else self._target()
        reached = self._is_in_reach if picks_up else self._is_near
        is_goal = functools.partial(reached, target)
        node = search(
            here,
            functools.partial(self._strides, is_goal),
            is_goal,
            key=lambda place: (round(place.x / _CELL), round(place.z / _CELL), round(place.heading / _TURN) % 8),
            heuristic=self._remaining(target),
            limits=Limits(seconds=30.0, weight=1.5),
        )
        actions = [action for actions in node.actions for action in actions] + [PICK_UP] * picks_up
        return actions or [TURN_LEFT]  # It may begin at the goal, which the world sees after a step only.

    def _target(self) -> Any:
        """The thing to go to."""
        world = self._world
        return world._objects[world._goal][world._color_index] if hasattr(world, "_objects") else world.box

    def _nearest(self, here: Place) -> Any:
        """The nearest thing that can be picked up."""
        things = [thing for thing in self._world.entities if thing is not self._world.agent]
        return min(things, key=lambda thing: math.hypot(thing.pos[0] - here.x, thing.pos[2] - here.z))

    def _is_near(self, target: Any, place: Place) -> bool:
        """As the world's own `near`."""
        distance = math.hypot(target.pos[0] - place.x, target.pos[2] - place.z)
        return distance < target.radius + self._world.agent.radius + 1.1 * self._world.max_forward_step

    def _is_in_reach(self, target: Any, place: Place) -> bool:
        """Whether the world's action `pickup` finds the thing there."""
        radius = self._world.agent.radius
        return self._world.intersect(self._world.agent, place.ahead(1.5 * radius).position, 1.2 * radius) is target

    def _strides(self, is_goal: Callable[[Place], bool], place: Place) -> Iterator[Step]:
        """Turns, and a walk straight ahead, which ends at a wall, a thing or the goal."""
        for action, sign in ((TURN_LEFT, 1), (TURN_RIGHT, -1)):
            turned = dataclasses.replace(place, heading=place.heading + sign * _TURN)
            yield Step((action,) * self._turns, turned, self._turns)
        steps, walked = 0, place
        while steps < max(1, round(_STRIDE / self._forward)):
            following = walked.ahead(self._forward)
            if not self._is_open(following, is_goal):
                break
            steps, walked = steps + 1, following
            if is_goal(walked):
                break
        if steps:
            yield Step((FORWARD,) * steps, walked, steps)

    def _is_open(self, place: Place, is_goal: Callable[[Place], bool]) -> bool:
        """Whether the agent can stand there, and the episode goes on or is won."""
        world = self._world
        if world.intersect(world.agent, place.position, world.agent.radius):
            return False
        if hasattr(world, "street"):
            return not world.street.point_inside(place.position)
        if hasattr(world, "_objects") and not is_goal(place):
            return not any(self._is_near(thing, place) for pair in world._objects for thing in pair)
        return True

    def _remaining(self, target: Any) -> Callable[[Place], float]:
        """About how many steps are left from a place, by the lengths of ways between walls."""
        world = self._world
        goal = np.asarray(target.pos)[[0, 2]]

        @functools.cache
        def is_open(point: tuple[int, int]) -> bool:
            x, z = goal + _COARSE * np.array(point)
            if not (world.min_x <= x <= world.max_x and world.min_z <= z <= world.max_z):
                return False
            # True is a wall; things are passed beside.
            return world.intersect(world.agent, np.array([x, 0.0, z]), 0.75 * world.agent.radius) is not True

        def neighbours(point: tuple[int, int]) -> Iterator[Step]:
            for dx, dz in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
                after = (point[0] + dx, point[1] + dz)
                if is_open(after):
                    yield Step(None, after, math.hypot(dx, dz))

        lengths = {node.state: node.cost for node in explore((0, 0), neighbours, limits=Limits(seconds=30.0))}
        ways = np.array(list(lengths)), np.array(list(lengths.values()))

        def remaining(place: Place) -> float:
            point = (round((place.x - goal[0]) / _COARSE), round((place.z - goal[1]) / _COARSE))
            length = lengths.get(point)
            if length is None:  # A point inside a wall: as from the nearest one outside.
                length = ways[1][np.abs(ways[0] - point).sum(1).argmin()]
            return length * _COARSE / self._forward

        return remaining
