"""A stranger's worlds are recorded from their own modules, in worker processes, as ours are."""

import json

import numpy as np
import pytest

from data_pipelines import recording
from data_pipelines.recording.episodes import ExpertFailed, TimeLimitExceeded, run_episode
from data_pipelines.recording.outside import describe_worlds
from data_pipelines.recording.player import Player
from data_pipelines.recording.probe import probe
from data_pipelines.scores import load_scores
from data_pipelines.spec import TaskSpec, World
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.suites import render
from data_pipelines.suites.outside import consent
from data_pipelines.suites.outside.experts import open_expert
from data_pipelines.suites.outside.objects import WorldError
from data_pipelines.suites.outside.opening import open_world

CARTPOLE, CORRIDOR = "gymnasium.cartpole_v1", "my_domain.corridor"
POLE = World("gymnasium:CartPole-v1")


def quiet(progress):
    del progress


def told(out, name):
    return [json.loads((out / name / file).read_text()) for file in ("spec.json", "recording.json")]


def test_a_gymnasium_id_is_recorded(outside_data):
    spec, recorded = told(outside_data, CARTPOLE)
    assert spec["world"] == {"task": "gymnasium:CartPole-v1", "kwargs": {}, "version": ""}
    assert [item["key"] for item in spec["observation"]] == ["observation"]
    assert spec["max_episode_steps"] == 500
    assert recorded["settings"]["expert"] == "outside_expert:act"
    assert recorded["versions"]["gymnasium"]
    score = load_scores(outside_data)[CARTPOLE]
    assert score.expert > 200 > 60 > score.random > 8
    assert len(score.random_returns) == 4
    assert consent.known_worlds().read_text().count('"gymnasium:CartPole-v1"')


def test_the_guides_world_is_recorded(outside_data, outsiders):
    if not (outsiders / "corridor.py").exists():
        pytest.skip("the code stands in docs/add-a-task.md, which an installed wheel does not have")
    spec, _ = told(outside_data, CORRIDOR)
    assert spec["world"]["task"] == "corridor:Corridor"
    assert read_task(outside_data, CORRIDOR).examples("train") == 4
    assert load_scores(outside_data)[CORRIDOR].expert > load_scores(outside_data)[CORRIDOR].random
    env = open_world(World("corridor:Corridor"), allow=("corridor",))
    expert = open_expert("corridor:expert", env)
    assert probe(env, expert) == []
    assert run_episode(env, expert, 0).episode_return == -4.0
    drawn = render.replay(CORRIDOR, 0, [np.int32(1)] * 4, size=16, world=World("corridor:Corridor"))
    assert drawn.frames.shape == (5, 16, 16, 3), drawn.reason
    assert [int(frame[0].mean(axis=1).argmax()) // 3 for frame in drawn.frames] == [0, 1, 2, 3, 4]


def test_the_same_world_is_reused_and_another_refused(outside_data):
    config = recording.RecordingConfig(episodes=4, random_episodes=4)
    world = recording.WorldOptions(expert="outside_expert:act")
    again = recording.record([POLE.task], outside_data, config=config, world=world, progress=quiet)
    assert again.reused == (CARTPOLE,)
    other = recording.WorldOptions(expert="outside_expert:act", kwargs={"sutton_barto_reward": True})
    with pytest.raises(recording.RecordingError, match=r"other settings \(world: .*{'sutton_barto_reward': True}"):
        recording.record([POLE.task], outside_data, config=config, world=other, progress=quiet)


def test_a_player_gives_the_episode_that_was_played(outsiders):
    with Player(POLE, "outside_expert:act", max_steps=30) as player:
        assert player.probe() == []
        assert player.spec.max_episode_steps == 30
        env = open_world(POLE, allow=("gymnasium",), spec=player.spec)
        here = run_episode(env, open_expert("outside_expert:act", env), 3)
        there = player.expert(3)
        for one, other in zip(here.timesteps, there.timesteps, strict=True):
            np.testing.assert_array_equal(one.observation["observation"], other.observation["observation"])
            assert (one.reward, one.discount, one.step_type) == (other.reward, other.discount, other.step_type)
        np.testing.assert_array_equal(here.labels, there.labels)
        assert len(player.random(1).executed) < 30


PLAYED = """
import gymnasium, os, time
from gymnasium import spaces


class Slow(gymnasium.Env):
    observation_space, action_space = spaces.Text(9), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.seed = seed
        return f"go {seed % 10}", {}

    def step(self, action):
        if self.seed == 1:
            os._exit(3)
        if self.seed == 2:
            raise KeyError("lost")
        time.sleep(0.01)
        return f"go {self.seed % 10}", 0.0, False, False, {}


def expert(text):
    assert text != "go 4", "no idea"
    return 1
"""


def test_what_fails_while_playing_is_told(outsiders):
    (outsiders / "outside_slow.py").write_text(PLAYED)
    with Player(World("outside_slow:Slow"), "outside_slow:expert", max_steps=10) as player:
        assert player.spec.name == "outside_slow.slow"
        assert player.expert(3).timesteps[0].observation == {"observation": "go 3"}
        with pytest.raises(TimeLimitExceeded):
            player.expert(3, seconds=0.02)
        with pytest.raises(ExpertFailed, match="FunctionExpert raised AssertionError: no idea"):
            player.expert(4)
        with pytest.raises(WorldError, match=r"the world raised KeyError: 'lost' \(outside_slow.py, line 17\)"):
            player.expert(2)
        with pytest.raises(WorldError, match="its process ended with code 3"):
            player.expert(1)


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ([], {"expert": "random"}, "are for a world of your own"),
        ([POLE.task], {}, "needs an expert: --expert"),
        ([POLE.task], {"expert": "act"}, "expected package.module:callable"),
        ([POLE.task, "a:b"], {"expert": "random", "name": "a.b"}, "one name cannot stand for 2 worlds"),
        ([POLE.task], {"expert": "random", "name": "babyai.go_to_obj"}, "is a task of this package"),
        ([POLE.task], {"expert": "outside_expert:acts"}, r"outside_expert has no 'acts'; nearest there: \['act'"),
        ([POLE.task], {"expert": "builtins:len"}, r"the expert cannot act: .*expected an integer in \[0, 2\), found 4"),
        (["gymnasium:CartPole-v9"], {"expert": "random"}, "did you mean CartPole-v1"),
    ],
)
def test_refused_before_anything_is_recorded(outsiders, words, options, message):
    with pytest.raises(WorldError, match=message):
        describe_worlds(words, recording.WorldOptions(**options), lambda task, news: None)


def test_a_spec_travels_to_its_workers(outside_data):
    spec = TaskSpec.from_json((outside_data / CARTPOLE / "spec.json").read_text())
    assert spec.world == POLE
