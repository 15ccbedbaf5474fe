"""A world that hangs, dies or lies costs its own trial, and says what happened."""

from data_pipelines.suites.trials.run import run_trials

SUITE = """
import collections, itertools, os

import dm_env
import numpy as np

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task


class World(Environment):
    def __init__(self, name):
        self.what = name.partition(".")[2]
        action = ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=2)
        self._spec = TaskSpec(name, (ItemSpec("x", Kind.CONTINUOUS, (2,)),), action, 9)
        self.resets = 0

    def observe(self, value):
        return {"x": np.full(2, value, np.float32)}

    def reset_to(self, seed):
        self.resets += 1
        self.steps = 0
        return dm_env.restart(self.observe(self.resets if self.what == "forgets" else seed))

    def step(self, action):
        self.steps += 1
        if self.steps == 5:
            if self.what == "dies":
                os.abort()
            if self.what == "hangs":
                collections.deque(itertools.repeat(None), maxlen=0)  # C code that no signal interrupts
            if self.what == "raises":
                raise KeyError("lost")
        value = float("nan") if self.what == "lies" and self.steps == 5 else self.steps
        if self.steps == 9:
            return dm_env.termination(1.0, self.observe(value))
        return dm_env.transition(float("inf") if self.what == "pays" else 1.0, self.observe(value))

    def render(self, size):
        picture = np.zeros((size, size, 3), np.uint8)
        if self.what != "dark":
            picture[size // 2] = 255
        return picture


def task(what):
    name = f"fragile.{what}"
    return Task(name, Source.ENVIRONMENT, "", "", "json", make_environment=lambda: World(name))


KINDS = ("runs", "dies", "hangs", "raises", "lies", "pays", "forgets", "dark", "runs_again")
SUITE = Suite("fragile", tuple(map(task, KINDS)), episode_steps=9)
"""


def test_what_goes_wrong_is_told_and_the_others_go_on(install_suite):
    install_suite("fragile", SUITE)
    kinds = ("runs", "dies", "hangs", "raises", "lies", "pays", "forgets", "dark", "runs_again")
    trials = dict(run_trials([f"fragile.{kind}" for kind in kinds], seconds=4.0))
    assert {name.partition(".")[2]: trial.reason for name, trial in trials.items()} == {
        "runs": "",
        "dies": "its process ended with signal SIGABRT: it printed nothing",
        "hangs": "took more than 4 s",
        "raises": "KeyError: 'lost'",
        "lies": "TimestepError: task 'fragile.lies', episode 'of seed 7', timestep 5, key 'x': expected a finite "
        "number, found nan at [0]",
        "pays": "timestep 1: expected a finite number as reward, found inf",
        "forgets": "seed 7 started another episode the second time: 'x' differs",
        "dark": "render: expected a picture, found 0 at every pixel",
        "runs_again": "",
    }
    assert all(trial.ok == (not trial.reason) == (trial.steps_per_second is not None) for trial in trials.values())
