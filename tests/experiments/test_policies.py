"""Training of small policies: rewards are the worlds' own, advantages are right, and a short training learns."""

import numpy as np
import pytest

from data_pipelines.suites import catalog
from data_pipelines.suites.planners.plannable import plannable
from experiments.policies import __main__ as command
from experiments.policies import lessons
from experiments.policies.bodies import Bodies, Steps
from experiments.policies.ppo import Learner, Ppo, Statistics


@pytest.mark.parametrize(("task", "reward"), [("cheetah_run", lessons.cheetah_run), ("finger_spin", None)])
def test_rewards_of_the_suite_are_those_of_the_environment(task, reward):
    env, rng = catalog.make(f"dm_control.{task}"), np.random.default_rng(0)
    env.reset_to(0)
    for _ in range(30):
        timestep = env.step(rng.uniform(-1, 1, env.spec.action.shape).astype(np.float32))
    data, world = env.physics.data, plannable(env)
    state = world.state()
    steps = Steps(
        state[None], state[None, None], np.array(data.sensordata)[None, None], np.array(data.ctrl)[None], world.model,
        world.control_timestep,
    )  # fmt: skip
    if reward is None:
        assert steps.velocities[0, 0, 2] == pytest.approx(env.physics.hinge_velocity())
    else:
        assert reward(steps)[0, 0] == pytest.approx(timestep.reward)
    env.close()


def test_the_hoppers_height_is_about_the_suites():
    env = catalog.make("dm_control.hopper_stand")
    for seed in range(3):
        env.reset_to(seed)
        positions = np.array(env.physics.data.qpos)[None, None]
        assert lessons._hopper_height(positions)[0, 0] == pytest.approx(env.physics.height(), abs=0.01)
    env.close()


def test_bodies_begin_anew_when_their_time_is_up():
    lesson = lessons.LESSONS["cheetah_run"]
    bodies = Bodies(
        ("dm_control.cheetah_run",), lesson.policy, lesson.reward, None, count=3, starts=2, episode_steps=8, seed=0,
        threads=0,
    )  # fmt: skip
    renewed = np.stack([bodies.step(np.zeros((3, 6)))[2] for _ in range(4)])
    assert (renewed.sum(axis=0) == 2).all()  # every second decision of four steps
    assert np.isfinite(bodies.states).all()


def test_advantages_stop_at_a_fall_and_look_beyond_the_end_of_time():
    columns = {
        "value": np.array([[1.0, 1.0], [2.0, 2.0]]), "next": np.array([[5.0, 5.0], [3.0, 3.0]]),
        "fallen": np.array([[True, False], [False, False]]), "anew": np.array([[True, True], [False, False]]),
    }  # fmt: skip
    advantages = command._advantages(columns, np.ones((2, 2)), 0.5, 0.5)
    np.testing.assert_allclose(advantages, [[1 - 1, 1 + 2.5 - 1], [1 + 1.5 - 2] * 2])


def test_an_update_makes_actions_likelier_that_were_better():
    rng = np.random.default_rng(0)
    learner = Learner(2, 1, Ppo(hidden=4, epochs=2, minibatches=1, learning_rate=1e-2), seed=0)
    seen = Statistics(2)
    seen.add(rng.normal(size=(64, 2)))
    features, noise = rng.normal(size=(64, 2)), rng.normal(size=(64, 1))
    actions = learner.mean(features, seen) + learner.deviation * noise
    batch = {
        "features": seen.normalised(features), "actions": actions,
        "log_probability": -(0.5 * noise**2 + np.log(learner.deviation)).sum(axis=-1),
        "advantage": actions[:, 0], "target": np.zeros(64),
    }  # fmt: skip
    before = learner.mean(features, seen).mean()
    for _ in range(5):
        learner.update(batch, 0.0)
    assert learner.mean(features, seen).mean() > before + 0.05
