"""Episodes in lockstep: some at a time, and what happens to one that fails."""

import dm_env
import numpy as np
import pytest

from data_pipelines.errors import Failures, TimestepError
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from gato_jax.evaluation.rollouts import load_rollout, roll_out

SPEC = TaskSpec("toy.walk", (ItemSpec("place", Kind.CONTINUOUS, (1,)),), ItemSpec("action", Kind.CONTINUOUS, (1,)), 30)


class Walk:
    """A sum of actions that starts at the seed and ends after seed % 5 + 2 steps; some seeds are broken."""

    spec, success = SPEC, None

    def __init__(self, no_reward=(), diverging=()):
        self._no_reward, self._diverging = no_reward, diverging
        self.resets = 0

    def reset_to(self, seed):
        self._seed, self._place, self._step = seed, float(seed), 0
        self.resets += 1
        return dm_env.restart({"place": np.array([self._place], np.float32)})

    def step(self, action):
        assert np.isfinite(action).all(), "an environment that has failed is not stepped"
        if self._seed in self._diverging:
            raise RuntimeError("the state has diverged")
        self._place += float(action[0])
        self._step += 1
        observation = {"place": np.array([self._place], np.float32)}
        reward = np.nan if self._seed in self._no_reward and self._step == 2 else self._place
        end = self._step == self._seed % 5 + 2
        return dm_env.termination(reward, observation) if end else dm_env.transition(reward, observation)


class Halves:
    """Acts by half of the place; cannot act on some seeds from the second step on."""

    spec, manner, notes = SPEC, "half", {}

    def __init__(self, broken=()):
        self._broken = broken

    def reset(self, seeds):
        self._seeds, self._step, self.failures = seeds, 0, Failures(len(seeds))

    def act(self, observations):
        assert len(observations) == len(self._seeds)
        for row, seed in enumerate(self._seeds):
            if seed in self._broken and self._step == 1:
                self.failures[row] = TimestepError(f"no action for seed {seed}")
        self._step += 1
        self.failures.check()
        actions = np.stack([observation["place"] / 2 for observation in observations])
        actions[list(self.failures)] = np.nan
        return actions


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_episodes_do_not_depend_on_how_many_are_played_at_a_time(count):
    environments, told = [Walk() for _ in range(count)], []
    rollout = roll_out(Halves(), environments, range(10, 15), progress=lambda *event: told.append(event))
    expected = [roll_out(Halves(), [Walk()], [seed]) for seed in range(10, 15)]
    assert list(rollout.seeds) == list(range(10, 15))
    assert rollout.returns == [one.returns[0] for one in expected]
    for actions, one in zip(rollout.actions, expected, strict=True):
        np.testing.assert_array_equal(actions, one.actions[0])
    assert sum(environment.resets for environment in environments) == 5
    assert told[-1][1:] == (5, 5)
    assert [step for step, *_ in told] == sorted(step for step, *_ in told)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_failed_episode_is_counted_and_the_others_go_on(count, tmp_path):
    environments = [Walk(no_reward=[13], diverging=[14]) for _ in range(count)]
    rollout = roll_out(Halves(broken=[11]), environments, range(10, 16))
    expected = roll_out(Halves(), [Walk() for _ in range(6)], range(10, 16))
    assert list(rollout.seeds) == [10, 12, 15]
    assert rollout.returns == [expected.returns[i] for i in (0, 2, 5)]
    assert (
        "timestep 0, key 'action': expected a step of the simulator, found RuntimeError: the" in rollout.failures["14"]
    )
    assert rollout.failures["11"] == "no action for seed 11"
    assert "'toy.walk', episode 'of seed 13', timestep 1, key 'reward': expected a finite" in rollout.failures["13"]
    rollout.save(tmp_path / "a.npz", settings={})
    assert load_rollout(tmp_path / "a.npz")[0].failures == rollout.failures


def test_all_episodes_failed_is_an_error():
    with pytest.raises(TimestepError, match="all 2 episodes failed, the first one so: no action for seed 11"):
        roll_out(Halves(broken=[11, 12]), [Walk()], [11, 12])
