"""Episodes in lockstep: some at a time, and what happens to one that fails."""

import dm_env
import numpy as np
import pytest

from data_pipelines.errors import Failures, TimestepError
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from gato_jax.evaluation.rollouts import load_rollout, play_alone, roll_out, roll_out_to

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


class Reaching(Walk):
    """Says where it is: a success at its second step; it is still one at the end on even seeds. Odd ones are cut."""

    @property
    def success(self):
        return self._step == 2 or (self._step > 2 and self._seed % 2 == 0)

    def step(self, action):
        timestep = super().step(action)
        if timestep.last() and self._seed % 2:
            return dm_env.truncation(timestep.reward, timestep.observation)
        return timestep


def test_success_at_any_step_and_at_the_end_are_told_apart():
    rollout = roll_out(Halves(), [Reaching()], [11, 12, 13, 14])
    assert rollout.lengths == [3, 4, 5, 6]
    assert rollout.ever == [True] * 4
    assert rollout.success == [False, True, False, True], "an episode that is cut is no success for that"
    assert rollout.truncated == [True, False, True, False]
    short = roll_out(Halves(), [Reaching()], [14], max_steps=1)
    assert (short.ever, short.success, short.truncated) == ([False], [False], [True])
    assert roll_out(Halves(), [Walk()], [11]).ever == [], "a world that knows no success"


def test_an_interrupted_task_goes_on_with_the_next_group(tmp_path):
    path, settings, seeds = tmp_path / "rollouts" / "toy.walk.npz", {"weights": "x"}, list(range(10, 15))
    environments = [Walk(diverging=[13]), Walk(diverging=[13])]
    whole = roll_out(Halves(), environments, seeds)

    class Interrupted(Halves):
        def reset(self, seeds):
            if 12 in seeds:
                raise KeyboardInterrupt
            super().reset(seeds)

    with pytest.raises(KeyboardInterrupt):
        roll_out_to(path, Interrupted(), environments, seeds, settings=settings)
    assert not path.exists()
    reset, told = [], []

    class Watched(Halves):
        def reset(self, seeds):
            reset.append(list(seeds))
            super().reset(seeds)

    scores = roll_out_to(
        path, Watched(), environments, seeds, settings=settings, progress=lambda *event: told.append(event)
    )
    assert reset == [[12, 13], [14, 14]], "the first group was saved"
    assert told[-1][1:] == (5, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["rollouts"], "nothing is left beside the file"
    rollout, stored = load_rollout(path)
    assert stored == settings
    for name in ("seeds", "returns", "lengths", "failures", "truncated"):
        assert getattr(rollout, name) == getattr(whole, name) == getattr(scores, name), name
    for kind in ("actions", "rewards"):
        for one, other in zip(getattr(rollout, kind), getattr(whole, kind), strict=True):
            np.testing.assert_array_equal(one, other)
    assert scores.actions == [], "scores alone: memory does not grow with the episodes"
    roll_out_to(path, Watched(), environments, seeds, settings={"weights": "y"})
    assert reset[2:] == [[10, 11], [12, 13], [14, 14]], "other weights play again"


def test_all_groups_failed_is_an_error(tmp_path):
    with pytest.raises(TimestepError, match="all 2 episodes failed, the first one so: no action for seed 11"):
        roll_out_to(tmp_path / "r" / "t.npz", Halves(broken=[11, 12]), [Walk()], [11, 12], settings={})


def test_a_policy_that_sees_the_simulator_plays_alone():
    class Half:
        def reset(self, env, seed):
            assert env._seed == seed

        def act(self, timestep):
            return timestep.observation["place"] / 2

    told = []
    alone = play_alone(Half(), Walk(diverging=[12]), [10, 11, 12], name="half", progress=lambda *e: told.append(e[1:]))
    together = roll_out(Halves(), [Walk(diverging=[12])], [10, 11, 12])
    assert alone.returns == together.returns
    assert alone.failures == together.failures
    assert alone.decode == "half"
    assert told == [(1, 3), (2, 3), (3, 3)]
