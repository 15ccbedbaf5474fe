"""A world that hangs in C, crashes, raises or leaks costs an attempt; an accident costs none."""

import dataclasses
import re
import sys

import pytest

from data_pipelines.errors import TimestepError
from data_pipelines.recording.attempts import Attempts, Outgrown, Players
from data_pipelines.recording.episodes import WorldFailed
from data_pipelines.recording.job import Job
from data_pipelines.recording.players import open_player, outside_json
from data_pipelines.recording.spec_check import check_episode
from data_pipelines.spec import World
from data_pipelines.suites.base.suite import Outside

FINE, HANGS, KILLED, ACCIDENT, RAISES, LEAKS, GROWS = range(10, 17)

FRAGILE = """
import collections, dataclasses, itertools, os, pathlib, signal, time

import dm_env
import numpy as np

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment

ONCE = pathlib.Path(__file__).with_suffix(".once")
HOARD = []


class Fragile(Environment):
    _spec = TaskSpec(
        "outside.fragile", (ItemSpec("x", Kind.CONTINUOUS, (1,)),),
        ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=2), 3,
    )

    def reset_to(self, seed):
        self.seed, self.steps = seed, 0
        if seed == 11:
            collections.deque(itertools.repeat(None), maxlen=0)  # C code that no signal interrupts
        return dm_env.restart({"x": np.full(1, seed, np.float32)})

    def step(self, action):
        self.steps += 1
        if self.seed == 12:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.seed == 13 and not ONCE.exists():
            ONCE.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.seed == 14:
            raise KeyError("lost")
        if self.seed == 15 and self.steps == 1:
            HOARD.append(np.ones(20_000_000))  # 153 MiB
        if self.seed == 16:
            HOARD.append(np.ones(60_000_000))  # 458 MiB
            time.sleep(60)
        x = {"x": np.full(1, self.steps, np.float32)}
        return dm_env.termination(1.0, x) if self.steps == 3 else dm_env.transition(1.0, x)

    def render(self, size):
        raise NotImplementedError


def expert(observation):
    return 1
"""


@pytest.fixture
def fragile(outsiders):
    """A job of a stranger's world."""
    (outsiders / "outside_fragile.py").write_text(FRAGILE)
    from outside_fragile import Fragile

    yield Job(
        "outside.fragile", 0, 1, "", "", time_limit=2.0, memory=180.0,
        outside=outside_json(Outside(_spec(Fragile), "outside_fragile:expert")),
    )  # fmt: skip
    del sys.modules["outside_fragile"]


def _spec(world):
    return dataclasses.replace(world._spec, world=World("outside_fragile:Fragile"))


def test_what_goes_wrong_costs_one_attempt(fragile):
    players, beats = Players(), []
    attempts = Attempts(fragile, players, beat=lambda: beats.append(1))
    outcomes = {seed: attempts.expert(seed, 0.0) for seed in (FINE, HANGS, KILLED, ACCIDENT, RAISES, LEAKS)}
    assert {seed: reason for seed, (_, reason) in outcomes.items()} == {
        FINE: "",
        HANGS: "took more than 2.0 s",
        KILLED: "world 'outside_fragile:Fragile': its process ended with signal SIGKILL: it printed nothing",
        ACCIDENT: "",
        RAISES: "task 'outside.fragile': the world raised KeyError: 'lost' (outside_fragile.py, line 34)",
        LEAKS: "",
    }
    assert len(outcomes[ACCIDENT][0].executed) == 3
    assert attempts.replaced == {"hung": 1, "died": 3}
    assert len(beats) == 2, "each second try"
    before = attempts.player
    assert attempts.random(FINE)[0].episode_return == 3.0
    assert (attempts.player is not before, attempts.replaced["grew"]) == (True, 1), "it held more than 180 MiB"
    patient = Attempts(dataclasses.replace(fragile, time_limit=60.0), players)
    episode, reason = patient.expert(GROWS, 0.0)
    assert episode is None
    assert re.fullmatch(r"world 'outside_fragile:Fragile': took \d+ MiB of memory, more than 270", reason)
    assert patient.expert(FINE, 0.0)[0].episode_return == 3.0
    assert patient.replaced == {"grew": 1}
    players.close(fragile)
    assert not patient.player.alive


@pytest.mark.parametrize("isolated", [False, True])
def test_noise_on_actions_that_take_none_ends_the_recording(isolated):
    player = open_player("babyai.go_to_obj", isolated=isolated)
    with pytest.raises(ValueError, match="action noise needs continuous actions, found discrete") as caught:
        player.expert(3, noise=0.1, hold=1, limit=None, seconds=60.0)
    assert not isinstance(caught.value, WorldFailed), "it would count as rejected"
    player.close()


def test_a_process_that_plays_itself_says_that_it_has_grown():
    job = Job("babyai.go_to_obj", 0, 1, "", "", memory=1.0)
    with pytest.raises(Outgrown, match=r"recording 'babyai.go_to_obj' takes \d+ MiB of memory, more than 1"):
        Attempts(job, Players()).expert(3, 0.0)


def test_a_world_in_a_process_of_its_own_gives_the_same_episode():
    here, there = (open_player("babyai.go_to_obj", isolated=isolated) for isolated in (False, True))
    one, other = (player.expert(5, noise=0.0, hold=1, limit=None, seconds=60.0) for player in (here, there))
    there.close()
    assert [dict(step.observation, image=None) for step in one.timesteps] == [
        dict(step.observation, image=None) for step in other.timesteps
    ]
    assert [step.observation["image"].tobytes() for step in one.timesteps] == [
        step.observation["image"].tobytes() for step in other.timesteps
    ]
    assert (one.executed, one.labels, one.episode_return) == (other.executed, other.labels, other.episode_return)


def test_an_episode_that_leaves_its_spec_is_named():
    player = open_player("babyai.go_to_obj")
    episode = player.random(7, seconds=60.0)
    check_episode(player.env.spec, episode)
    image = episode.timesteps[2].observation["image"]
    image[0, 1, 0] = 200
    text = (
        r"task 'babyai.go_to_obj', episode 'of seed 7', timestep 2, key 'image'.* \[0, 11\), found 200 at \[0, 1, 0\]"
    )
    with pytest.raises(TimestepError, match=text):
        check_episode(player.env.spec, episode)
    episode.timesteps[2].observation["image"] = image[:3]
    with pytest.raises(
        TimestepError, match=r"timestep 2, key 'image':.*expected shape \(7, 7, 3\), found shape \(3, 7"
    ):
        check_episode(player.env.spec, episode)
