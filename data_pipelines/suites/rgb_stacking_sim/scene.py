"""The scene of RGB stacking: a Sawyer with a Robotiq gripper over the basket with three objects.

Models and meshes come from dm-robotics-moma and dm-robotics-manipulation, which are imported for them alone: moma's
controllers and its inverse kinematics bundle a MuJoCo of another version, and crash in this process.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from dm_control import composer, mjcf
from dm_robotics.manipulation.props.rgb_objects import rgb_object
from dm_robotics.manipulation.standard_cell import rgb_basket
from dm_robotics.moma.models.arenas import empty
from dm_robotics.moma.models.end_effectors.robot_hands import robotiq_2f85
from dm_robotics.moma.models.end_effectors.wrist_sensors import robotiq_fts300
from dm_robotics.moma.models.robots.robot_arms import sawyer, sawyer_constants

TIMESTEP = 0.001
"""Seconds of a simulation step."""

BASKET = (0.6, 0.0, 0.0498)
"""Middle of the basket's floor; the arm stands at the origin (metres)."""

CLOSED = 255.0
"""Control of the gripper that closes it; 0 opens it."""

COLOURS: Mapping[str, tuple[float, float, float, float]] = {
    "red": (1, 0, 0, 1),
    "green": (0, 1, 0, 1),
    "blue": (0, 0, 1, 1),
}

CAMERAS = ("basket_front_left", "basket_front_right")
"""The two that the agent sees."""

VIEWER = "viewer"
"""The camera of pictures for people."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """The simulation, and where in it things are.

    Args:
      physics: dm_control's.
      joints: names of the arm's seven, base to wrist.
      actuators: names of their velocity controls, in the same order.
      gripper: name of the fingers' velocity control.
      finger: name of the joint whose angle is the gripper's.
      pads: names of the bodies of the two fingertips.
      pinch: name of the site between the fingertips.
      wrist: name of the site where the hand is mounted.
      props: colour -> name of the body of that object.
      cameras: name of `CAMERAS` -> its name in the model.
      geoms: whose geoms are which, as sets of ids: the colours, "robot" and "basket".
    """

    physics: Any
    joints: tuple[str, ...]
    actuators: tuple[str, ...]
    gripper: str
    finger: str
    pads: tuple[str, ...]
    pinch: str
    wrist: str
    props: Mapping[str, str]
    cameras: Mapping[str, str]
    geoms: Mapping[str, frozenset[int]]


def build_scene(triplet: int) -> Scene:
    """The scene with the objects of one of the five test triplets.

    Args:
      triplet: 1 to 5.

    Raises:
      ValueError: another triplet.
    """
    test_triplet = f"rgb_test_triplet{triplet}"
    if test_triplet not in rgb_object.PROP_TRIPLETS_TEST:
        raise ValueError(f"triplet: expected one of {list(rgb_object.PROP_TRIPLETS_TEST)}, found {test_triplet!r}")
    objects = dict(zip(COLOURS, rgb_object.PROP_TRIPLETS_TEST[test_triplet].ids, strict=True))
    arena = empty.Arena()
    arena.mjcf_model.option.timestep = TIMESTEP
    basket = rgb_basket.RGBBasket(name="basket")
    arena.attach(basket, arena.mjcf_model.worldbody.add("site", pos=BASKET, size="0.01", rgba="0 0 0 0"))
    arm, hand = _robot(arena)
    props = {
        colour: rgb_object.RgbObjectProp(obj_id=objects[colour], color=rgba, name=colour)
        for colour, rgba in COLOURS.items()
    }
    frames = {colour: arena.add_free_entity(prop) for colour, prop in props.items()}
    arena.mjcf_model.worldbody.add("camera", name=VIEWER, pos="1.35 0 0.62", xyaxes="0 1 0 -0.45 0 0.893", fovy="45")
    physics = mjcf.Physics.from_mjcf_model(arena.mjcf_model)
    return Scene(
        physics=physics,
        joints=tuple(joint.full_identifier for joint in arm.joints),
        actuators=tuple(actuator.full_identifier for actuator in arm.actuators),
        gripper=hand.actuators[0].full_identifier,
        finger=hand.joints[0].full_identifier,
        pads=tuple(hand.mjcf_model.find("body", f"{side}_pad").full_identifier for side in ("left", "right")),
        pinch=hand.tool_center_point.full_identifier,
        wrist=arm.wrist_site.full_identifier,
        props={colour: frame.full_identifier for colour, frame in frames.items()},
        cameras={camera.name: camera.full_identifier for camera in basket.cameras if camera.name in CAMERAS},
        geoms=_geoms(physics),
    )


def _robot(arena: composer.Arena) -> tuple[sawyer.Sawyer, robotiq_2f85.Robotiq2F85]:
    """Arm, force sensor and hand, one on the other, held against gravity by MuJoCo."""
    arm = sawyer.Sawyer(name="robot")
    sensor, hand = robotiq_fts300.RobotiqFTS300(), robotiq_2f85.Robotiq2F85()
    sensor.attach(hand)
    arm.attach(sensor)
    arena.attach(arm)
    for body in arm.mjcf_model.find_all("body"):
        if "gravcomp" in body.spec.attributes:  # The frames by which parts are attached have none, and no mass.
            body.gravcomp = 1
    # moma clips the integrated velocities from Python after every simulation step; MuJoCo does it by these ranges.
    limits = zip(sawyer_constants.JOINT_LIMITS["min"], sawyer_constants.JOINT_LIMITS["max"], strict=True)
    for actuator, limit in zip((*arm.actuators, *hand.actuators), (*limits, (0.0, CLOSED)), strict=True):
        actuator.actlimited, actuator.actrange = True, limit
    return arm, hand


def _geoms(physics: mjcf.Physics) -> dict[str, frozenset[int]]:
    """Ids by the first part of their names, which says what was put into the arena. Its floor joins the basket."""
    geoms: dict[str, set[int]] = {}
    for geom in range(physics.model.ngeom):
        owner = physics.model.id2name(geom, "geom").partition("/")[0]
        geoms.setdefault("basket" if owner == "ground" else owner, set()).add(geom)
    return {owner: frozenset(ids) for owner, ids in geoms.items()}
