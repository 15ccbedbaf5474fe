"""Models compile, stand on the floor, and keep finite."""

import mujoco
import numpy as np
import pytest
from mujoco import rollout

from data_pipelines.suites.modular_rl.bodies import BODIES, SUBSTEPS
from data_pipelines.suites.modular_rl.model import BodyError, compile_model, mjcf_text, start_height


@pytest.fixture(scope="module")
def models() -> dict[str, mujoco.MjModel]:
    return {name: compile_model(name, mjcf_text(body)) for name, body in BODIES.items()}


def lowest(model: mujoco.MjModel) -> float:
    """Height of the lowest point of all parts in the model's own pose, from MuJoCo's own numbers."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    parts = np.flatnonzero(model.geom_bodyid > 0)
    # A sphere has no length; a capsule's is the second size, along its z axis.
    half = np.where(model.geom_type[parts] == mujoco.mjtGeom.mjGEOM_CAPSULE, model.geom_size[parts, 1], 0.0)
    down = np.abs(data.geom_xmat[parts, 8]) * half + model.geom_size[parts, 0]
    return float((data.geom_xpos[parts, 2] - down).min())


def test_every_body_has_a_motor_for_each_limb_and_begins_just_above_the_floor(models):
    for name, model in models.items():
        body = BODIES[name]
        joints = [model.joint(index).name for index in range(model.njnt)]
        assert joints == ["x", "height", "pitch", *(limb.name for limb in body.limbs)], name
        assert [model.actuator(index).name for index in range(model.nu)] == joints[3:], name
        assert lowest(model) == pytest.approx(body.family.clearance, abs=1e-6), name
        assert model.qpos0[1] == pytest.approx(start_height(body)), name


def test_a_whole_cheetah_weighs_what_its_ancestor_does(models):
    """Half-Cheetah's model says settotalmass="14"."""
    assert models["cheetah_7_full"].body_mass.sum() == pytest.approx(14, abs=0.5)


def finite_under_chance(models, *, steps: int, seeds: int) -> None:
    for name, model in models.items():
        rng = np.random.default_rng(len(name))
        controls = rng.uniform(-1, 1, (seeds, steps, model.nu)).repeat(SUBSTEPS, axis=1)
        start = np.zeros((seeds, mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)))
        start[:, 1 : 1 + model.nq] = model.qpos0
        data = mujoco.MjData(model)
        states, _ = rollout.rollout(model, data, start, controls)
        assert np.isfinite(states).all(), name
        # A simulation that blows up is reset by MuJoCo, so that its time would begin again.
        np.testing.assert_allclose(states[:, -1, 0], steps * SUBSTEPS * model.opt.timestep, err_msg=name)
        assert np.abs(states[..., 1 + model.nq :]).max() < 200, name


def test_bodies_keep_finite(models):
    finite_under_chance(models, steps=60, seeds=1)


@pytest.mark.slow
def test_bodies_keep_finite_for_whole_episodes(models):
    finite_under_chance(models, steps=1000, seeds=5)


def test_what_mujoco_does_not_take_names_the_body():
    text = mjcf_text(BODIES["hopper_3"])
    with pytest.raises(BodyError, match=r"body 'hopper_3' does not compile: .*XML"):
        compile_model("hopper_3", text[:-40])
    with pytest.raises(BodyError, match=r"body 'hopper_3' does not compile: .*wing"):
        compile_model("hopper_3", text.replace('joint="foot"', 'joint="wing"'))
