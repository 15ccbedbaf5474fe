"""The beginning of an episode: the tool somewhere over the basket, the objects at rest in it."""

import numpy as np
from dm_control.utils import inverse_kinematics

from data_pipelines.suites.rgb_stacking_sim.control import REST
from data_pipelines.suites.rgb_stacking_sim.scene import BASKET, TIMESTEP, Scene
from data_pipelines.suites.rgb_stacking_sim.stacked import is_stacked, touch

_TOOL = np.array([[0.5, -0.14, 0.22], [0.7, 0.14, 0.43]])
"""Lowest and highest position of the tool (metres)."""
_TOOL_YAW = np.pi / 4
_OBJECTS = np.array([[0.5, -0.1], [0.7, 0.1]])
"""Where objects are dropped (metres)."""
_DROP_HEIGHT = BASKET[2] + 0.07
_INSIDE = 0.12
"""Metres from the basket's middle along x and y within which an object must come to rest: the tool reaches it there."""
_SETTLE_SECONDS = 2.0
_STILL = 1e-3
_TRIES = 200


def start_episode(scene: Scene, rng: np.random.Generator) -> None:
    """Puts arm and objects where `rng` says.

    It draws again where objects touch before they fall, roll away or lie as the task wants them, and where the arm
    does not reach the tool's place.

    Raises:
      RuntimeError: none of many draws was good.
    """
    for _ in range(_TRIES):
        scene.physics.reset()
        if _place_tool(scene, rng) and _drop_objects(scene, rng):
            scene.physics.data.time = 0.0
            return
    raise RuntimeError(
        f"RGB stacking: expected a start with objects apart, at rest where the tool reaches them, and a place that the "
        f"tool reaches, found none in {_TRIES} draws"
    )


def rest_arm(scene: Scene) -> None:
    """Puts the arm, not its controls, where its tool points down and its wrist is in the middle of its range."""
    scene.physics.named.data.qpos[list(scene.joints)] = REST
    scene.physics.forward()


def _place_tool(scene: Scene, rng: np.random.Generator) -> bool:
    physics = scene.physics
    named = physics.named
    joints = list(scene.joints)
    rest_arm(scene)
    yaw = rng.uniform(-_TOOL_YAW, _TOOL_YAW)
    down = np.array([0.0, np.cos(yaw / 2), np.sin(yaw / 2), 0.0])
    found = inverse_kinematics.qpos_from_site_pose(
        physics, scene.pinch, rng.uniform(_TOOL[0], _TOOL[1]), down, joints, tol=1e-4
    )
    if not found.success:
        return False
    ids = [physics.model.name2id(joint, "joint") for joint in joints]
    angles = found.qpos[physics.model.jnt_qposadr[ids]]
    low, high = physics.model.jnt_range[ids].T
    if ((angles < low) | (angles > high)).any():
        return False
    named.data.qpos[joints] = angles
    named.data.act[list(scene.actuators)] = angles
    physics.forward()
    return True


def _drop_objects(scene: Scene, rng: np.random.Generator) -> bool:
    physics = scene.physics
    places = rng.uniform(_OBJECTS[0], _OBJECTS[1], (len(scene.props), 2))
    velocities = []
    for (x, y), body in zip(places, scene.props.values(), strict=True):
        joint = physics.model.body_jntadr[physics.model.name2id(body, "body")]
        place, dof = physics.model.jnt_qposadr[joint], physics.model.jnt_dofadr[joint]
        quaternion = rng.normal(size=4)
        physics.data.qpos[place : place + 7] = (x, y, _DROP_HEIGHT, *quaternion / np.linalg.norm(quaternion))
        velocities.append(slice(dof, dof + 6))
    physics.forward()
    if any(touch(scene, scene.geoms[colour], _others(scene, colour)) for colour in scene.props):
        return False
    for _ in range(round(_SETTLE_SECONDS / TIMESTEP / 100)):
        physics.step(100)
        if max(np.abs(physics.data.qvel[dofs]).max() for dofs in velocities) < _STILL:
            break
    rest = np.array([physics.named.data.xpos[body][:2] for body in scene.props.values()])
    return bool((np.abs(rest - BASKET[:2]) < _INSIDE).all()) and not is_stacked(scene)


def _others(scene: Scene, colour: str) -> frozenset[int]:
    return frozenset().union(*(geoms for owner, geoms in scene.geoms.items() if owner != colour))
