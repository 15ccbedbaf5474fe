"""Policies beside the agent: by name, and a user's own."""

import sys

import dm_env
import numpy as np
import pytest

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.outside.objects import WorldError
from gato_jax.evaluation import policies

SPEC = TaskSpec(
    "toy.room", (ItemSpec("x", Kind.CONTINUOUS, (1,)),), ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=3), 9
)


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_policies.py").write_text(
        "def act(observation):\n    return int(observation['x'][0] > 0)\n"
        "def wrong(observation):\n    return [1, 2]\n"
        "class Sees:\n    def reset(self, env, seed):\n        self.env = env\n"
        "    def act(self, timestep):\n        return 2\n"
        "NUMBER = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("own_policies", None)


class Room:
    spec = SPEC


def test_a_function_of_the_observation(own):
    policy = policies.open_policy("own_policies:act", "")
    policy.reset(Room(), 0)
    action = policy.act(dm_env.restart({"x": np.array([1.0], np.float32)}))
    assert (action, action.dtype, action.shape) == (1, np.int32, ())
    assert len(policies.settings("own_policies:act")["code"]) == 64
    seeing = policies.open_policy("own_policies:Sees", "")
    seeing.reset(Room(), 0)
    assert isinstance(seeing.env, Room)
    assert isinstance(policies.open_policy("random", "toy.room"), RandomPolicy)


def test_what_is_no_policy(own):
    wrong = policies.open_policy("own_policies:wrong", "")
    wrong.reset(Room(), 0)
    with pytest.raises(WorldError, match=r"'own_policies:wrong', task 'toy.room': expected an action of shape \(\)"):
        wrong.act(dm_env.restart({"x": np.zeros(1)}))
    with pytest.raises(WorldError, match=r"expected a function of the observation, .* found a int"):
        policies.open_policy("own_policies:NUMBER", "")
    with pytest.raises(WorldError, match=r"own_policies has no 'ac'; nearest there: .*'act'"):
        policies.open_policy("own_policies:ac", "")
    assert policies.why_not("expert", "modular_rl.no_such_body") == "nobody demonstrates it here"
    assert policies.why_not("expert", "babyai.go_to_obj") == ""
