"""A body as a MuJoCo model, written from its limbs."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable

import mujoco

from data_pipelines.suites.modular_rl.bodies import TORSO, Body, Limb, Vector

_NEAR, _FAR = "0.8 0.5 0.35 1", "0.35 0.55 0.8 1"
_FAR_LIMBS = ("left", "fthigh", "fshin", "ffoot")
"""Beginnings of the names of limbs that a picture shows in another colour: the left ones, and a cheetah's front leg."""


class BodyError(ValueError):
    """A body whose model MuJoCo does not take."""


def compile_model(name: str, text: str) -> mujoco.MjModel:
    """The model of a body from its MJCF text.

    Raises:
      BodyError: names the body and says what MuJoCo found.
    """
    try:
        return mujoco.MjModel.from_xml_string(text)
    except ValueError as error:
        raise BodyError(f"body {name!r} does not compile: {' '.join(str(error).split())}") from error


def mjcf_text(body: Body) -> str:
    """The body on a floor, as MJCF: a planar root (x, height, pitch), and a hinge and a motor for each limb."""
    family = body.family
    root = ET.Element("mujoco", model=body.name)
    ET.SubElement(root, "compiler", angle="degree", inertiafromgeom="true")
    ET.SubElement(root, "option", timestep=str(family.timestep), integrator=family.integrator)
    default = ET.SubElement(root, "default")
    ET.SubElement(default, "joint", type="hinge", axis="0 1 0", limited="true")
    # Parts touch the floor and nothing else: a limb passes its neighbours.
    ET.SubElement(
        default, "geom", type="capsule", density=str(family.density), contype="1", conaffinity="0", condim="3",
        friction="0.9 0.1 0.1", rgba="0.7 0.65 0.55 1",
    )  # fmt: skip
    ET.SubElement(default, "motor", ctrllimited="true", ctrlrange="-1 1")
    _add_torso(_add_world(root), body)
    actuators = ET.SubElement(root, "actuator")
    for limb in body.limbs:
        ET.SubElement(actuators, "motor", name=limb.name, joint=limb.name, gear=str(limb.gear))
    return ET.tostring(root, encoding="unicode")


def start_height(body: Body) -> float:
    """Height of the torso's origin when the lowest part is just above the floor, in metres."""
    lowest = min(min(part.start[2], part.end[2]) - part.radius for part in body.family.torso)
    tips: dict[str, float] = {}
    for limb in body.limbs:
        joint = limb.socket[2] if body.parent(limb) == TORSO else tips[body.parent(limb)]
        tips[limb.name] = joint + limb.tip[2]
        ends = (joint + limb.heel[2] - limb.radius, tips[limb.name] - max(limb.radius, limb.ball))
        lowest = min(lowest, *ends)
    return round(body.family.clearance - lowest, 6)


def _add_world(root: ET.Element) -> ET.Element:
    """Sky, light and floor."""
    asset = ET.SubElement(root, "asset")
    ET.SubElement(
        asset, "texture", type="skybox", builtin="gradient", rgb1="0.6 0.75 0.9", rgb2="0.95 0.97 1", width="64",
        height="64",
    )  # fmt: skip
    ET.SubElement(
        asset, "texture", name="tiles", type="2d", builtin="checker", rgb1="0.3 0.34 0.38", rgb2="0.22 0.25 0.29",
        width="64", height="64",
    )  # fmt: skip
    ET.SubElement(asset, "material", name="tiles", texture="tiles", texrepeat="1 1", texuniform="true")
    world = ET.SubElement(root, "worldbody")
    ET.SubElement(world, "light", directional="true", pos="0 -2 4", dir="0.2 0.5 -1", diffuse="0.8 0.8 0.8")
    ET.SubElement(
        world, "geom", name="floor", type="plane", size="100 100 1", material="tiles", conaffinity="1", rgba="1 1 1 1"
    )
    return world


def _add_torso(world: ET.Element, body: Body) -> None:
    height = start_height(body)
    torso = ET.SubElement(world, "body", name=TORSO, pos=_numbers((0, 0, height)))
    away = 2.2 + 0.8 * height
    side = _numbers((0, -away, 0.1 * away - 0.45 * height))
    ET.SubElement(torso, "camera", name="side", mode="trackcom", pos=side, xyaxes="1 0 0 0 0.1 1")
    for name, kind, axis, start in (
        ("x", "slide", "1 0 0", 0.0), ("height", "slide", "0 0 1", height), ("pitch", "hinge", "0 1 0", 0.0),
    ):  # fmt: skip
        # `ref` makes the second position the height itself, not the way from the start.
        ET.SubElement(torso, "joint", name=name, type=kind, axis=axis, limited="false", ref=str(start))
    for part in body.family.torso:
        _add_part(torso, part.start, part.end, part.radius)
    elements = {TORSO: torso}
    limbs = {limb.name: limb for limb in body.limbs}
    for limb in body.limbs:
        parent = body.parent(limb)
        place = limb.socket if parent == TORSO else limbs[parent].tip
        elements[limb.name] = _add_limb(elements[parent], limb, place)


def _add_limb(parent: ET.Element, limb: Limb, place: Vector) -> ET.Element:
    element = ET.SubElement(parent, "body", name=limb.name, pos=_numbers(place))
    ET.SubElement(
        element, "joint", name=limb.name, range=_numbers(limb.degrees), damping=str(limb.damping),
        armature=str(limb.armature), stiffness=str(limb.stiffness),
    )  # fmt: skip
    colour = _FAR if limb.name.startswith(_FAR_LIMBS) else _NEAR
    _add_part(element, limb.heel, limb.tip, limb.radius, colour)
    if limb.ball:
        _add_part(element, limb.tip, limb.tip, limb.ball, colour)
    return element


def _add_part(parent: ET.Element, start: Vector, end: Vector, radius: float, colour: str = "") -> None:
    if start == end:
        geom = ET.SubElement(parent, "geom", type="sphere", pos=_numbers(start), size=str(radius))
    else:
        geom = ET.SubElement(parent, "geom", fromto=_numbers((*start, *end)), size=str(radius))
    if colour:
        geom.set("rgba", colour)


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:g}" for value in values)
