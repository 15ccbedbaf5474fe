"""Bodies follow from seeds, stay inside the paper's factors, and are whole: what the compiler derives fits to them."""

import numpy as np
import pytest
from dm_control import suite

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.dm_control.perturbed_environment import Body, model_arrays

RANGES = {"small": ((0.9, 0.95), (1.05, 1.1)), "large": ((0.6, 0.8), (1.2, 1.4))}


def arrays(model):
    return {name: np.array(getattr(model, name)) for name in model_arrays(model)}


def differing(left, right):
    return [name for name in left if not np.array_equal(left[name], right[name], equal_nan=True)]


def model_of(env):
    return env.physics.model.ptr


@pytest.mark.parametrize("size", RANGES)
def test_a_seed_gives_the_body_and_factors_lie_in_the_papers_ranges(size):
    env = catalog.make(f"dm_control_random_{size}.walker_walk")
    plain = model_of(suite.load("walker", "walk"))
    bodies = {}
    for seed in (1, 2, 1):
        env.reset_to(seed)
        body = arrays(model_of(env))
        if seed in bodies:
            assert differing(body, bodies[seed]) == []
        bodies[seed] = body
    assert {"actuator_gear", "dof_damping", "jnt_range", "geom_size", "body_mass", "body_inertia", "dof_M0"} <= set(
        differing(bodies[1], bodies[2])
    )
    legs = plain.geom_bodyid > 0
    np.testing.assert_array_equal(bodies[1]["geom_size"][~legs], plain.geom_size[~legs])  # the floor
    (low, less), (more, high) = RANGES[size]
    for name, here in (("actuator_gear", ...), ("dof_damping", ...), ("jnt_range", ...), ("geom_size", legs)):
        base = getattr(plain, name)[here]
        factors = bodies[1][name][here][base != 0] / base[base != 0]
        inside = ((low <= factors) & (factors <= less)) | ((more <= factors) & (factors <= high))
        assert inside.all(), (name, factors)
        assert len(set(factors.round(9))) > 3, name  # each has its own


def test_without_factors_a_body_is_the_suites_own():
    for domain in ("cheetah", "humanoid", "finger"):  # the cheetah's XML fixes the sum of its masses
        module = getattr(suite, domain)
        task = next(iter(module.SUITE))
        body = Body(*module.get_model_and_assets()).scaled(lambda: 1.0)
        assert differing(arrays(body), arrays(model_of(suite.load(domain, task)))) == [], domain


def test_density_and_size_give_mass():
    xml = "<mujoco><worldbody><body><joint/><geom size='2'/></body></worldbody></mujoco>"
    factors = iter([1.0, 1.0, 1.0, 0.5, 3.0])  # joint: damping, stiffness, range; geometry: size, density
    model = Body(xml, {}).scaled(lambda: next(factors))
    assert model.body_mass[1] == pytest.approx(3000 * 4 / 3 * np.pi)
    assert model.body_inertia[1] == pytest.approx(np.full(3, 0.4 * model.body_mass[1]))


@pytest.mark.parametrize("task", ["hopper_hop", "manipulator_bring_ball", "swimmer_swimmer6"])
def test_strongly_perturbed_bodies_stay_stable(task):
    env = catalog.make(f"dm_control_random_large.{task}")
    for seed in range(3):
        episode = run_episode(env, RandomPolicy(), seed, limit=200)  # observations are checked for being finite
        assert len(episode.labels) == 200


def test_the_planner_plans_with_the_body_that_is_there():
    task = catalog.get("dm_control_random_large.reacher_easy")
    env, expert = task.make_environment(), task.make_expert()
    for seed in (4, 5):
        env.reset_to(seed)
        expert.reset(env, seed)
        names = differing(arrays(expert._model), arrays(model_of(env)))
        assert [name for name in names if not name.startswith(("cam_", "light_"))] == []
    assert run_episode(env, expert, 4, limit=100).episode_return > 30
