"""Whether the red object stands on the blue one."""

from collections.abc import Set

import numpy as np

from data_pipelines.suites.rgb_stacking_sim.scene import Scene

_ALIGNED = 0.05
"""Metres between their middles along x and y."""
_ABOVE = 0.02
"""Metres that red's middle is above blue's."""
_TOUCH = 2e-4
"""Metres between surfaces that count as touching for two objects."""
_PRESS = 1e-8
"""The same for an object and the robot or the basket."""


def is_stacked(scene: Scene) -> bool:
    """Red above blue and touching it, and touching neither robot nor basket, as in the sparse reward of the paper.

    The released code looks for the floor under the basket, which nothing reaches; here red must leave the basket, too,
    so that it cannot lean.
    """
    position = scene.physics.named.data.xpos
    offset = position[scene.props["red"]] - position[scene.props["blue"]]
    geoms = scene.geoms
    return bool(
        np.linalg.norm(offset[:2]) < _ALIGNED
        and offset[2] > _ABOVE
        and touch(scene, geoms["red"], geoms["blue"], _TOUCH)
        and not touch(scene, geoms["red"], geoms["robot"] | geoms["basket"], _PRESS)
    )


def touch(scene: Scene, some: Set[int], others: Set[int], distance: float = _PRESS) -> bool:
    """Whether a geom of one set is in contact with one of the other."""
    for contact in scene.physics.data.contact:
        one, two = contact.geom1, contact.geom2
        if contact.dist <= distance and ((one in some and two in others) or (two in some and one in others)):
            return True
    return False
