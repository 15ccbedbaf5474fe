"""Plans between their knots, and worlds that cannot be planned in."""

import dataclasses

import mujoco
import numpy as np
import pytest

from data_pipelines.suites.planners.mppi import MppiExpert, _interpolation
from data_pipelines.suites.planners.plannable import control_range, set_state, state_of
from data_pipelines.suites.planners.settings import Mppi

SLIDER = """
<mujoco>
  <option timestep="0.1"/>
  <worldbody><body><joint name="x" type="slide" axis="1 0 0" damping="1"/><geom size="0.1" mass="1"/></body></worldbody>
  <actuator><motor joint="x" ctrllimited="true" ctrlrange="-2 4"/></actuator>
</mujoco>
"""


class Slider:
    """A mass on a rail, worth most at x = 1, and an environment at the same time."""

    spec = dataclasses.make_dataclass("Spec", ["name"])("test.slider")
    control_timestep = 0.1

    def __init__(self, worth=lambda x: -abs(x - 1.0)):
        self.model = mujoco.MjModel.from_xml_string(SLIDER)
        self.data, self.episode = mujoco.MjData(self.model), mujoco.MjData(self.model)
        self.low, self.high = control_range(self.model)
        self._worth = worth

    def plannable(self):
        return self

    def state(self):
        return state_of(self.model, self.episode)

    def reward(self, before, after, controls):
        set_state(self.model, self.data, after, controls)
        return self._worth(self.data.qpos[0]), False


def test_interpolation_joins_knots_and_holds_the_last():
    weights = _interpolation(np.array([0.0, 1.0]), np.array([0.0, 0.25, 1.0, 3.0]))
    np.testing.assert_allclose(weights, [[1, 0], [0.75, 0.25], [0, 1], [0, 1]])


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.0}, {"fine": 0.1}])
def test_a_world_that_the_planner_has_never_seen_is_steered_by_its_own_reward(settings):
    world = Slider()
    planner = MppiExpert(Mppi(horizon=1.0, knots=4, samples=16, replan=1, warmup=3, **settings))
    planner.reset(world, 0)
    for _ in range(40):
        action = planner.act(None)
        assert action.shape == (1,)
        assert -2.0 <= action[0] <= 4.0
        world.episode.ctrl[:] = action
        mujoco.mj_step(world.model, world.episode)
    assert abs(world.episode.qpos[0] - 1.0) < 0.1


def test_a_guide_leads_where_the_reward_is_flat():
    world = Slider(worth=lambda x: 0.0)
    planner = MppiExpert(Mppi(horizon=1.0, samples=16), guide=lambda world: world.data.qpos[0])
    planner.reset(world, 0)
    assert planner.act(None)[0] > 1.3  # further than the middle of the range, which a flat reward keeps


def test_plans_without_a_finite_reward_are_one_clear_error():
    planner = MppiExpert(Mppi(horizon=1.0))
    planner.reset(Slider(worth=lambda x: np.nan), 0)
    with pytest.raises(ValueError, match=r"'test.slider': 32 of 32 simulated plans have a reward that is not finite"):
        planner.act(None)


def test_an_environment_without_physics_is_named():
    class Corridor:
        spec = Slider.spec

    with pytest.raises(TypeError, match=r"'test.slider': Corridor offers no copy of its physics to plan in"):
        MppiExpert(Mppi(horizon=1.0)).reset(Corridor(), 0)
