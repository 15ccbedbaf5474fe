"""Simulators in processes of their own give what those of this process give; one that dies costs its episodes."""

import os
import signal

import numpy as np
import pytest

from data_pipelines.errors import Failures
from data_pipelines.suites import catalog
from gato_jax.evaluation.rollouts import roll_out
from gato_jax.evaluation.simulators.local import Local
from gato_jax.evaluation.simulators.remote import Remote

TASK = "babyai.go_to_obj"
SEEDS = range(1_000_000, 1_000_005)


class Turning:
    """Acts by what it sees: the sum of the cells in view, and the length of the mission."""

    manner, notes = "turning", {}

    def __init__(self, spec):
        self.spec = spec

    def reset(self, seeds):
        self.failures = Failures(len(seeds))

    def act(self, observations):
        sums = [int(np.sum(each["image"])) + len(each["mission"]) for each in observations]
        return np.asarray([value % 3 for value in sums], self.spec.action.dtype)


@pytest.fixture(scope="module")
def remote():
    simulators = Remote(TASK, count=3, processes=2, opengl="disabled")
    yield simulators
    simulators.close()


def test_episodes_are_the_same(remote):
    local = Local([catalog.make(TASK) for _ in range(3)])
    here = roll_out(Turning(local.spec), local, SEEDS, max_steps=20)
    there = roll_out(Turning(remote.spec), remote, SEEDS, max_steps=20)
    assert remote.spec == local.spec
    assert len(remote) == 3
    for name in ("seeds", "returns", "lengths", "success", "ever", "truncated"):
        assert getattr(here, name) == getattr(there, name), name
    for one, other in zip(here.actions, there.actions, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_process_that_dies_costs_its_episodes_and_is_replaced(remote):
    class Killing(Turning):
        steps = 0

        def act(self, observations):
            self.steps += 1
            if self.steps == 3:
                os.kill(remote._children[1]._process.pid, signal.SIGKILL)
                remote._children[1]._process.wait()
            return super().act(observations)

    rollout = roll_out(Killing(remote.spec), remote, [*SEEDS, SEEDS[-1] + 1], max_steps=6)
    # Rows 0 and 1 stand in the first process, row 2 in the second, which is replaced for the next three episodes.
    assert list(rollout.failures) == ["1000002"]
    assert "a step of the simulator, found its process ended with signal SIGKILL" in rollout.failures["1000002"]
    assert list(rollout.seeds) == [1_000_000, 1_000_001, 1_000_003, 1_000_004, 1_000_005]


def test_a_task_that_cannot_be_opened_says_why():
    with pytest.raises(RuntimeError, match=r"'babyai\.no_such_level' cannot be opened: .*unknown task"):
        Remote("babyai.no_such_level", count=1, processes=1, opengl="disabled")
