"""RGB stacking: red on blue, seen by two cameras."""

from typing import Any

import dm_env
import mujoco
import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment, nest
from data_pipelines.suites.base.timesteps import after
from data_pipelines.suites.dm_control.cameras import Cameras
from data_pipelines.suites.rgb_stacking_sim.control import WRIST_RANGE, CartesianControl
from data_pipelines.suites.rgb_stacking_sim.scene import CAMERAS, CLOSED, TIMESTEP, VIEWER, build_scene
from data_pipelines.suites.rgb_stacking_sim.stacked import is_stacked, touch
from data_pipelines.suites.rgb_stacking_sim.start import rest_arm, start_episode

CONTROL_TIMESTEP = 0.05
CAMERA_SIZE = 128

_SUBSTEPS = round(CONTROL_TIMESTEP / TIMESTEP)
_PROPRIOCEPTION = {
    "gripper/joints/angle": (1,),
    "sawyer/joints/angle": (7,),
    "sawyer/pinch/pose": (7,),
    "sawyer/tcp/pose": (7,),
}


class RgbStackingEnvironment(Environment):
    """One triplet of objects. The reward is 1 for every step at which red stands on blue, else 0.

    Actions in [-1, 1]: speed of the tool along x, y and z (1 is 0.07 m/s), around the vertical axis (1 is 1 rad/s), and
    the gripper, which closes at full speed above 0 and opens below: the paper's is discrete, and one array holds all
    five here. Steps are at 20 Hz, and episodes last until they are cut.

    Observations are those of the released agents: two pictures, the gripper's angle as a share of its range (1 is
    closed), seven joint angles (radians), and the poses of the pinch point and of the wrist in the arm's frame (metres,
    unit quaternion w, x, y, z). Poses of objects are not among them.

    Args:
      name: the task's name in the catalog.
      triplet: of objects, 1 to 5.
      episode_steps: after which episodes are cut.
      cameras: False leaves the pictures out and puts the poses of the objects there (`props/red`, ...), which needs no
        OpenGL.
    """

    def __init__(self, name: str, *, triplet: int, episode_steps: int, cameras: bool = True):
        self._scene = build_scene(triplet)
        self._control = CartesianControl(self._scene)
        self._draws = cameras
        items = [ItemSpec(key, Kind.CONTINUOUS, shape) for key, shape in _PROPRIOCEPTION.items()]
        if cameras:
            shape = (CAMERA_SIZE, CAMERA_SIZE, 3)
            items += [ItemSpec(f"{camera}/pixels", Kind.IMAGE, shape, "uint8") for camera in CAMERAS]
        else:
            items += [ItemSpec(f"props/{colour}", Kind.CONTINUOUS, (7,)) for colour in self._scene.props]
        self._spec = TaskSpec(
            name=name,
            observation=tuple(sorted(items, key=lambda item: item.path)),
            action=ItemSpec("action", Kind.CONTINUOUS, (5,)),
            max_episode_steps=episode_steps,
        )
        self._cameras = Cameras(self._scene.physics)
        self._steps = 0
        rest_arm(self._scene)
        self._rest = {site: self._quaternion(site) for site in (self._scene.pinch, self._scene.wrist)}

    @property
    def physics(self) -> Any:
        """The simulation, which an expert may read."""
        return self._scene.physics

    @property
    def control_timestep(self) -> float:
        """Seconds between two actions."""
        return CONTROL_TIMESTEP

    @property
    def tool_pose(self) -> Float[np.ndarray, "7"]:
        """Position (metres) and unit quaternion of the point between the fingertips."""
        return self._site_pose(self._scene.pinch)

    @property
    def prop_poses(self) -> dict[str, Float[np.ndarray, "7"]]:
        """Position (metres) and unit quaternion of each object, by colour."""
        data = self.physics.named.data
        return {
            colour: np.concatenate([data.xpos[body], data.xquat[body]]) for colour, body in self._scene.props.items()
        }

    @property
    def gripper(self) -> float:
        """How far it is closed: 0 is open, 1 is closed with nothing between the fingers."""
        named = self.physics.named
        low, high = named.model.jnt_range[self._scene.finger]
        return float(np.clip((named.data.qpos[self._scene.finger].item() - low) / (high - low), 0.0, 1.0))

    @property
    def closing_yaw(self) -> float:
        """Direction in which the fingers close: the angle from the world's x axis, in radians."""
        left, right = (self.physics.named.data.xpos[pad] for pad in self._scene.pads)
        return float(np.arctan2(*(right - left)[1::-1]))

    @property
    def turn_range(self) -> tuple[float, float]:
        """How far the tool can turn around the vertical axis from where it is, in radians."""
        wrist = self.physics.named.data.qpos[self._scene.joints[-1]].item()
        return wrist - WRIST_RANGE, wrist + WRIST_RANGE

    def vertices(self, colour: str) -> Float[np.ndarray, "vertices 3"]:
        """Of the object's mesh, in the world (metres)."""
        model, data = self.physics.model, self.physics.data
        geom = min(self._scene.geoms[colour])
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        vertices = model.mesh_vert[start : start + model.mesh_vertnum[mesh]]
        return vertices @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]

    def touches_robot(self, colour: str) -> bool:
        """Whether the object of this colour is in contact with the robot."""
        return touch(self._scene, self._scene.geoms[colour], self._scene.geoms["robot"])

    @property
    def success(self) -> bool:
        """Whether red stands on blue now; at the last step it is the paper's success."""
        return is_stacked(self._scene)

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        start_episode(self._scene, np.random.default_rng(seed))
        self._steps = 0
        return dm_env.restart(self._observation())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        action = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        control = self.physics.named.data.ctrl
        control[list(self._scene.actuators)] = self._control.joint_velocities(action[:4], CONTROL_TIMESTEP)
        control[self._scene.gripper] = np.sign(action[4]) * CLOSED
        self.physics.step(_SUBSTEPS)
        self._steps += 1
        return after(
            float(self.success), self._observation(), ended=False, cut=self._steps >= self._spec.max_episode_steps
        )

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return self._cameras.picture(VIEWER, size)

    def close(self) -> None:
        self._cameras.clear()
        self.physics.free()

    def _observation(self) -> dict[str, Any]:
        named = self.physics.named.data
        values = {
            "gripper/joints/angle": [self.gripper],
            "sawyer/joints/angle": named.qpos[list(self._scene.joints)],
            "sawyer/pinch/pose": self.tool_pose,
            "sawyer/tcp/pose": self._site_pose(self._scene.wrist),
        }
        if self._draws:
            pictures = {
                f"{key}/pixels": self._cameras.picture(name, CAMERA_SIZE) for key, name in self._scene.cameras.items()
            }
        else:
            pictures = {}
            values |= {f"props/{colour}": pose for colour, pose in self.prop_poses.items()}
        states = {key: np.asarray(value, np.float32) for key, value in values.items()}
        return nest({tuple(key.split("/")): value for key, value in (states | pictures).items()})

    def _site_pose(self, site: str) -> Float[np.ndarray, "7"]:
        quaternion = self._quaternion(site)
        # Both signs are one rotation; the one near the resting arm's is steady over the range of the wrist.
        sign = 1.0 if quaternion @ self._rest[site] >= 0 else -1.0
        return np.concatenate([self.physics.named.data.site_xpos[site], sign * quaternion])

    def _quaternion(self, site: str) -> Float[np.ndarray, "4"]:
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, np.array(self.physics.named.data.site_xmat[site]))
        return quaternion
