"""Joints of gymnasium-robotics by name, on a MuJoCo that its own functions do not know."""

import importlib.util

import mujoco
import numpy as np
import pytest

pytest.importorskip("gymnasium_robotics", reason="gymnasium-robotics is not installed")

from gymnasium_robotics.utils import mujoco_utils

from data_pipelines.suites import catalog
from data_pipelines.suites.gymnasium_robotics import joints

MODEL = """<mujoco><worldbody>
  <body><freejoint name="free"/><geom size="1"/></body>
  <body><joint name="ball" type="ball"/><geom size="1"/></body>
  <body><joint name="hinge" type="hinge"/><joint name="slide" type="slide"/><geom size="1"/></body>
</worldbody></mujoco>"""
NAMES = ("free", "ball", "hinge", "slide")


@pytest.fixture
def simulation():
    model = mujoco.MjModel.from_xml_string(MODEL)
    return model, mujoco.MjData(model)


def test_the_joints_of_a_model_are_its_state(simulation):
    model, data = simulation
    data.qpos[:] = np.arange(model.nq)
    data.qvel[:] = 100 + np.arange(model.nv)
    positions = [joints.get_joint_qpos(model, data, name) for name in NAMES]
    velocities = [joints.get_joint_qvel(model, data, name) for name in NAMES]
    np.testing.assert_array_equal(np.concatenate(positions), data.qpos)
    np.testing.assert_array_equal(np.concatenate(velocities), data.qvel)
    assert [len(numbers) for numbers in (*positions, *velocities)] == [7, 4, 1, 1, 6, 3, 1, 1]


def test_setting_a_joint_changes_no_other(simulation):
    model, data = simulation
    before = data.qpos.copy()
    joints.set_joint_qpos(model, data, "ball", (0, 1, 0, 0))
    joints.set_joint_qpos(model, data, "slide", 5.0)
    joints.set_joint_qvel(model, data, "free", np.arange(6))
    np.testing.assert_array_equal(data.qpos, [*before[:7], 0, 1, 0, 0, before[11], 5.0])
    np.testing.assert_array_equal(data.qvel, [*range(6), 0, 0, 0, 0, 0])


def test_the_library_needs_them_and_uses_them(simulation):
    env = catalog.make("gymnasium_robotics.fetch_reach")
    env.close()
    assert mujoco_utils.get_joint_qpos is joints.get_joint_qpos
    spec = importlib.util.find_spec("gymnasium_robotics.utils.mujoco_utils")
    original = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(original)
    with pytest.raises(AssertionError):  # When it stops to fail, joints.py is needed no more.
        original.get_joint_qpos(*simulation, "hinge")


def test_the_kitchen_succeeds_when_all_its_tasks_are_done():
    env = catalog.make("gymnasium_robotics.franka_kitchen")
    assert "achieved_goal/bottom_burner" in [item.key for item in env.spec.observation]
    env.reset_to(0)
    assert env.success is False
    kitchen = env.simulation
    kitchen.tasks_to_complete = {"microwave"}
    kitchen.data.joint("microwave").qpos[:] = kitchen.goal["microwave"]
    timestep = env.step(np.zeros(9, np.float32))
    assert (timestep.reward, env.success) == (1.0, True)
    env.reset_to(0)
    assert env.success is False
    env.close()
