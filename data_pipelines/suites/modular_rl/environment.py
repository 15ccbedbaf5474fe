"""Planar locomotion of a body: forward as fast as it can, without falling."""

from typing import Any

import dm_env
import mujoco
import numpy as np
from dm_control.mujoco import engine, wrapper
from jaxtyping import Float, UInt8

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.timesteps import after
from data_pipelines.suites.dm_control.cameras import Cameras
from data_pipelines.suites.modular_rl.bodies import BODIES, SUBSTEPS, TORSO, Body
from data_pipelines.suites.modular_rl.model import compile_model, mjcf_text, start_height
from data_pipelines.suites.modular_rl.plannable import ModularWorld
from data_pipelines.suites.modular_rl.reward import LocomotionReward

LIMB_VALUES = 15
"""Values that a limb observes of itself."""

_MAX_SPEED = 10.0


class ModularEnvironment(Environment):
    """One body. Actions are torques of its joints in [-1, 1], in the order of its limbs.

    Observation `limbs`, for the torso and then for each limb, as in Huang et al. (2020): position (3; x counts from the
    torso's, in metres), velocity (3; m/s, at most 10), angular velocity (3; rad/s) and rotation vector (3; rad) in the
    world, the joint's angle as a share of its range (1), and that range (2; 0 is -180 and 1 is 180 degrees). The last
    three are 0 for the torso. The distance that was covered is not observed.

    A planner plans in what `plannable` returns.

    Args:
      name: the task's name in the catalog.
      body: the name in `BODIES`.
      episode_steps: after which episodes are cut.

    Raises:
      ValueError: no such body; `BodyError`: MuJoCo does not take its model.
    """

    def __init__(self, name: str, *, body: str, episode_steps: int):
        if body not in BODIES:
            raise ValueError(f"task {name!r}: expected a body among {list(BODIES)}, found {body!r}")
        self.body: Body = BODIES[body]
        self.reward: LocomotionReward = self.body.family.reward
        self.start_height = start_height(self.body)
        self._physics = engine.Physics.from_model(wrapper.MjModel(compile_model(body, mjcf_text(self.body))))
        self._limb_ids = [self._id(limb) for limb in (TORSO, *(limb.name for limb in self.body.limbs))]
        model = self._physics.model
        self._range = np.array(model.jnt_range[3:])
        self._spec = TaskSpec(
            name=name,
            observation=(ItemSpec("limbs", Kind.CONTINUOUS, (LIMB_VALUES * len(self._limb_ids),)),),
            action=ItemSpec("action", Kind.CONTINUOUS, (model.nu,)),
            max_episode_steps=episode_steps,
        )
        self._steps = 0
        self._cameras = Cameras(self._physics)

    @property
    def physics(self) -> Any:
        """The simulation, which a planning expert may read."""
        return self._physics

    @property
    def control_timestep(self) -> float:
        """Seconds between two actions."""
        return SUBSTEPS * self.body.family.timestep

    def plannable(self) -> ModularWorld:
        """A copy of the episode's world, in which a planning expert may try its plans."""
        return ModularWorld(self._physics, self.reward, self.start_height, self.control_timestep)

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        rng = np.random.default_rng(seed)
        noise = self.body.family.start_noise
        with self._physics.reset_context():
            data = self._physics.data
            data.qpos[:] += rng.uniform(-noise, noise, data.qpos.shape)
            data.qvel[:] = rng.uniform(-noise, noise, data.qvel.shape)
        self._steps = 0
        return dm_env.restart(self._observation())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        action = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        before = self._physics.data.qpos[0]
        self._physics.set_control(action)
        self._physics.step(SUBSTEPS)
        self._steps += 1
        positions = np.array(self._physics.data.qpos)
        reward = float(self.reward.value((positions[0] - before) / self.control_timestep, action))
        return after(
            reward,
            self._observation(),
            ended=not self.reward.is_up(positions, self.start_height),
            cut=self._steps >= self._spec.max_episode_steps,
        )

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return self._cameras.picture("side", size)

    def close(self) -> None:
        self._cameras.clear()
        self._physics.free()

    def _id(self, limb: str) -> int:
        return self._physics.model.name2id(limb, "body")

    def _observation(self) -> dict[str, Float[np.ndarray, "values"]]:
        model, data = self._physics.model.ptr, self._physics.data.ptr
        rows = np.zeros((len(self._limb_ids), LIMB_VALUES))
        motion = np.zeros(6)
        for row, limb in zip(rows, self._limb_ids):
            row[:3] = data.xpos[limb]
            mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_XBODY, limb, motion, 0)
            row[3:6] = np.clip(motion[3:], -_MAX_SPEED, _MAX_SPEED)
            row[6:9] = motion[:3]
            mujoco.mju_quat2Vel(row[9:12], data.xquat[limb], 1.0)
        rows[:, 0] -= data.xpos[self._limb_ids[0], 0]
        low, high = self._range.T
        rows[1:, 12] = (data.qpos[3:] - low) / (high - low)
        rows[1:, 13:] = (self._range + np.pi) / (2 * np.pi)
        return {"limbs": rows.ravel().astype(np.float32)}
