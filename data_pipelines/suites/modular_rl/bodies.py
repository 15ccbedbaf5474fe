"""The 38 bodies as data: a torso, and which limbs of its family it has.

The family is that of Huang et al. (2020), "One policy to control them all", whose bodies are Gym's Walker2d, Hopper,
HalfCheetah and a Humanoid in a plane without some of their limbs. Sizes, joints and motors are those of these
ancestors, rounded; `model.py` writes the models.
"""

import dataclasses
from collections.abc import Mapping

from data_pipelines.suites.modular_rl.reward import LocomotionReward

Vector = tuple[float, float, float]

TORSO = "torso"


@dataclasses.dataclass(frozen=True)
class Capsule:
    """A part of a torso, in metres from the torso's origin. Equal ends make a ball."""

    start: Vector
    end: Vector
    radius: float


@dataclasses.dataclass(frozen=True)
class Limb:
    """A capsule on a motorised hinge, which turns in the plane of x (forward) and z (up).

    Args:
      name: of the limb and its joint.
      parents: the first of these that a body has carries the limb.
      tip: the far end, in metres from the joint, where limbs that it carries begin.
      radius: in metres.
      degrees: lowest and highest angle; positive angles swing a hanging limb backwards.
      gear: torque at action 1, in N m.
      damping: in N m s / rad.
      armature: inertia of the motor, in kg m^2.
      stiffness: of a spring towards angle 0, in N m / rad.
      socket: place of the joint on the torso, in metres from its origin; unused where another limb carries this one.
      heel: where the capsule begins, in metres from the joint.
      ball: radius of a ball at the tip, 0 for none.
    """

    name: str
    parents: tuple[str, ...]
    tip: Vector
    radius: float
    degrees: tuple[float, float]
    gear: float
    damping: float
    armature: float
    stiffness: float = 0.0
    socket: Vector = (0.0, 0.0, 0.0)
    heel: Vector = (0.0, 0.0, 0.0)
    ball: float = 0.0


@dataclasses.dataclass(frozen=True)
class Family:
    """What the bodies of one ancestor share.

    Args:
      torso: its capsules.
      limbs: all that a body can have, parents first.
      density: of all parts, in kg / m^3.
      reward: of every body.
      timestep: of the simulation, in seconds; an action lasts `SUBSTEPS` of them.
      integrator: MuJoCo's name of it.
      clearance: between the lowest part and the floor at the start, in metres.
      start_noise: uniform noise on positions at the start, at most this (metres, radians), and the same on velocities.
    """

    torso: tuple[Capsule, ...]
    limbs: tuple[Limb, ...]
    density: float
    reward: LocomotionReward
    timestep: float
    integrator: str
    clearance: float
    start_noise: float


@dataclasses.dataclass(frozen=True)
class Body:
    """One body.

    Args:
      name: such as "walker_4_main", where 4 counts the torso too.
      family: whose limbs it has.
      limbs: those that it has, in the family's order, which is that of actions and observations.

    Raises:
      ValueError: a limb that the family lacks, or whose parents are all absent.
    """

    name: str
    family: Family
    limbs: tuple[Limb, ...]

    def __post_init__(self):
        present = {TORSO, *(limb.name for limb in self.limbs)}
        for limb in self.limbs:
            if limb not in self.family.limbs:
                raise ValueError(f"body {self.name!r}: its family has no limb {limb.name!r}")
            if not present & set(limb.parents):
                raise ValueError(
                    f"body {self.name!r}: limb {limb.name!r} hangs on {' or '.join(limb.parents)}, found only "
                    f"{sorted(present)}"
                )

    def parent(self, limb: Limb) -> str:
        """What carries the limb: another limb, or the torso."""
        present = {TORSO, *(limb.name for limb in self.limbs)}
        return next(parent for parent in limb.parents if parent in present)


SUBSTEPS = 4
"""Simulation steps of one action."""


def _leg(side: str, y: float) -> tuple[Limb, ...]:
    def limb(number: int, parent: str, tip: Vector, radius: float) -> Limb:
        return Limb(
            f"{side}{number}", (parent,), tip, radius, degrees=(-75, 75), gear=100, damping=0.1, armature=0.01,
            socket=(0, y, -0.3),
        )  # fmt: skip

    return (
        limb(1, TORSO, (0, 0, -0.48), 0.056),
        limb(2, f"{side}1", (0, 0, -0.384), 0.045),
        limb(3, f"{side}2", (0.2, 0, 0), 0.06),
    )


WALKER = Family(
    torso=(Capsule((0, 0, 0.3), (0, 0, -0.3), 0.07),),
    limbs=(*_leg("left", 0.08), *_leg("right", -0.08)),
    density=1000,
    reward=LocomotionReward(alive=1.0, control_cost=1e-3, heights=(0.64, 1.6), angle=1.0),
    timestep=0.002,
    integrator="RK4",
    clearance=0.01,
    start_noise=0.005,
)


def _hopping(name: str, parents: tuple[str, ...], tip: Vector, radius: float, degrees=(0, 150), heel=0.0) -> Limb:
    return Limb(
        name, parents, tip, radius, degrees, gear=200, damping=1, armature=1, socket=(0, 0, -0.2), heel=(heel, 0, 0)
    )


HOPPER = Family(
    torso=(Capsule((0, 0, 0.2), (0, 0, -0.2), 0.05),),
    limbs=(
        _hopping("thigh", (TORSO,), (0, 0, -0.45), 0.05),
        _hopping("leg", ("thigh",), (0, 0, -0.5), 0.04),
        _hopping("lower_leg", ("leg",), (0, 0, -0.5), 0.04),
        _hopping("foot", ("lower_leg", "leg", "thigh"), (0.26, 0, 0), 0.06, degrees=(-45, 45), heel=-0.13),
    ),
    density=1000,
    reward=LocomotionReward(alive=1.0, control_cost=1e-3, heights=(0.56, float("inf")), angle=1.0),
    timestep=0.002,
    integrator="RK4",
    clearance=0.01,
    start_noise=0.005,
)


def _running(
    name: str, parent: str, tip: Vector, degrees: tuple[float, float], gear: float, stiffness: float, damping: float
) -> Limb:
    return Limb(
        name, (parent,), tip, 0.046, degrees, gear, damping=damping, armature=0.1, stiffness=stiffness,
        socket=(-0.5 if name.startswith("b") else 0.5, 0, 0),
    )  # fmt: skip


CHEETAH = Family(
    torso=(Capsule((-0.5, 0, 0), (0.5, 0, 0), 0.046), Capsule((0.5, 0, 0), (0.7, 0, 0.2), 0.046)),
    limbs=(
        _running("bthigh", TORSO, (0.16, 0, -0.25), (-30, 60), gear=120, stiffness=240, damping=6),
        _running("bshin", "bthigh", (-0.28, 0, -0.14), (-45, 45), gear=90, stiffness=180, damping=4.5),
        _running("bfoot", "bshin", (0.06, 0, -0.19), (-23, 45), gear=60, stiffness=120, damping=3),
        _running("fthigh", TORSO, (-0.14, 0, -0.24), (-57, 40), gear=120, stiffness=180, damping=4.5),
        _running("fshin", "fthigh", (0.13, 0, -0.18), (-69, 50), gear=60, stiffness=120, damping=3),
        _running("ffoot", "fshin", (0.09, 0, -0.14), (-29, 29), gear=30, stiffness=60, damping=1.5),
    ),
    density=640,
    reward=LocomotionReward(alive=0.0, control_cost=0.1),
    timestep=0.01,
    integrator="Euler",
    clearance=0.07,
    start_noise=0.1,
)


def _human_leg(side: str, y: float) -> tuple[Limb, ...]:
    return (
        Limb(
            f"{side}_thigh", (TORSO,), (0, 0, -0.4), 0.06, degrees=(-110, 20), gear=150, damping=5, armature=0.01,
            stiffness=20, socket=(0, y, -0.465),
        ),
        Limb(
            f"{side}_shin", (f"{side}_thigh",), (0, 0, -0.35), 0.049, degrees=(0, 160), gear=100, damping=1,
            armature=0.006, stiffness=1, ball=0.075,
        ),
    )  # fmt: skip


def _human_arm(side: str, y: float) -> tuple[Limb, ...]:
    outwards = 0.17 if y > 0 else -0.17
    return (
        Limb(
            f"{side}_upper_arm", (TORSO,), (0.17, outwards, -0.17), 0.04, degrees=(-60, 85), gear=12.5, damping=1,
            armature=0.006, stiffness=1, socket=(0, y, 0.06),
        ),
        Limb(
            f"{side}_lower_arm", (f"{side}_upper_arm",), (0.17, -outwards, 0.17), 0.031, degrees=(-50, 90), gear=12.5,
            damping=1, armature=0.003, ball=0.04,
        ),
    )  # fmt: skip


HUMANOID = Family(
    torso=(
        Capsule((0, -0.07, 0), (0, 0.07, 0), 0.07),
        Capsule((0, 0, 0.19), (0, 0, 0.19), 0.09),
        Capsule((-0.01, -0.06, -0.12), (-0.01, 0.06, -0.12), 0.06),
        Capsule((-0.01, -0.06, -0.26), (-0.01, 0.06, -0.26), 0.06),
        Capsule((-0.02, -0.07, -0.425), (-0.02, 0.07, -0.425), 0.09),
    ),
    limbs=(
        *_human_leg("right", -0.1), *_human_leg("left", 0.1), *_human_arm("right", -0.17), *_human_arm("left", 0.17),
    ),
    density=1000,
    reward=LocomotionReward(alive=1.0, control_cost=1e-3, heights=(0.7, 1.43), angle=1.0),
    timestep=0.002,
    integrator="RK4",
    clearance=0.01,
    start_noise=0.005,
)  # fmt: skip


def _body(name: str, family: Family, limbs: set[str]) -> Body:
    return Body(name, family, tuple(limb for limb in family.limbs if limb.name in limbs))


def _walkers() -> list[Body]:
    """Limbs join in turns, left first. A flipped body has on its right what the other has on its left."""
    order = ("left1", "right1", "left2", "right2", "left3", "right3")
    other = {"left": "right", "right": "left"}
    bodies = []
    for size in range(2, 8):
        main = order[: size - 1]
        flipped = {other[name[:-1]] + name[-1] for name in main}
        bodies += [_body(f"walker_{size}_main", WALKER, set(main)), _body(f"walker_{size}_flipped", WALKER, flipped)]
    return bodies


def _hoppers() -> list[Body]:
    """The leg gets longer; each has the foot."""
    leg = ("thigh", "leg", "lower_leg")
    return [_body(f"hopper_{size}", HOPPER, {*leg[: size - 2], "foot"}) for size in (3, 4, 5)]


_CHEETAHS = {
    "2_back": (1, 0), "2_front": (0, 1), "3_back": (2, 0), "3_balanced": (1, 1), "3_front": (0, 2),
    "4_allback": (3, 0), "4_allfront": (0, 3), "4_back": (2, 1), "4_front": (1, 2), "5_back": (3, 1),
    "5_balanced": (2, 2), "5_front": (1, 3), "6_back": (3, 2), "6_front": (2, 3), "7_full": (3, 3),
}  # fmt: skip
"""How many limbs of its back and of its front leg a body has."""


def _cheetahs() -> list[Body]:
    parts = ("thigh", "shin", "foot")
    return [
        _body(f"cheetah_{name}", CHEETAH, {*(f"b{p}" for p in parts[:back]), *(f"f{p}" for p in parts[:front])})
        for name, (back, front) in _CHEETAHS.items()
    ]


_ABSENT = {
    "7_left_arm": ("left_upper_arm", "left_lower_arm"),
    "7_right_arm": ("right_upper_arm", "right_lower_arm"),
    "7_left_leg": ("left_thigh", "left_shin"),
    "7_right_leg": ("right_thigh", "right_shin"),
    "7_lower_arms": ("left_lower_arm", "right_lower_arm"),
    "8_left_knee": ("left_shin",),
    "8_right_knee": ("right_shin",),
    "9_full": (),
}
"""What a humanoid lacks."""


def _humanoids() -> list[Body]:
    names = {limb.name for limb in HUMANOID.limbs}
    return [_body(f"humanoid_2d_{name}", HUMANOID, names - set(absent)) for name, absent in _ABSENT.items()]


BODIES: Mapping[str, Body] = {body.name: body for body in (*_walkers(), *_hoppers(), *_cheetahs(), *_humanoids())}
"""Every body by its name, those of the repository of Huang et al. (2020)."""
