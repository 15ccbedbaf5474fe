"""Spaces of gymnasium and specs of dm_env become items; what cannot is refused by name."""

import gymnasium
import numpy as np
import pytest
from dm_env import specs
from gymnasium import spaces

from data_pipelines.spec import Kind
from data_pipelines.suites.outside import dm_env_specs, gymnasium_spaces
from data_pipelines.suites.outside.objects import WorldError

FLOAT = spaces.Box(-np.inf, np.inf, (3,), np.float64)


def items(space):
    return {leaf.item.key: leaf.item for leaf in gymnasium_spaces.observation_leaves(space)}


def action(space):
    return gymnasium_spaces.action_leaf(space)


def test_kinds_of_observations():
    found = items(
        spaces.Dict(
            {
                "b": spaces.Dict({"state": FLOAT, "goal": spaces.Discrete(5, start=-2)}),
                "a": spaces.Tuple((spaces.MultiDiscrete([3, 2]), spaces.MultiBinary(4))),
                "frame": spaces.Box(0, 255, (24, 32, 3), np.uint8),
                "gray": spaces.Box(0, 255, (84, 84), np.uint8),
                "ram": spaces.Box(0, 255, (7, 7, 3), np.uint8),
                "told": spaces.Text(30),
                "far": spaces.Box(-5000, 5000, (2,), np.int32),
            }
        )
    )
    assert list(found) == ["a/0", "a/1", "b/goal", "b/state", "far", "frame", "gray", "ram", "told"]
    kinds = {key: item.kind for key, item in found.items()}
    assert kinds["b/state"] is kinds["far"] is Kind.CONTINUOUS
    assert kinds["frame"] is kinds["gray"] is Kind.IMAGE
    assert kinds["told"] is Kind.TEXT
    assert (found["a/0"].radix, found["a/0"].num_values) == ((3, 2), 3)
    assert (found["a/1"].shape, found["a/1"].num_values) == ((4,), 2)
    assert found["b/goal"].num_values == 5
    assert (found["ram"].kind, found["ram"].num_values) == (Kind.DISCRETE, 256)
    assert found["gray"].shape == (84, 84, 1)
    assert list(items(FLOAT)) == ["observation"]


def test_values_are_read_and_actions_given_back():
    (goal,) = gymnasium_spaces.observation_leaves(spaces.Discrete(5, start=-2))
    assert goal.read(np.int64(-2)) == 0
    (frame,) = gymnasium_spaces.observation_leaves(spaces.Box(0, 255, (16, 20), np.uint8))
    assert frame.read(np.zeros((16, 20), np.uint8)).shape == (16, 20, 1)
    assert frame.read(np.zeros((16, 21), np.uint8)).shape == (16, 21)  # left as it is, for the check to name
    start = action(spaces.Discrete(3, start=1))
    assert (start.item.num_values, start.give(np.int32(0)), type(start.give(np.int32(2)))) == (3, 1, np.int64)
    box = action(spaces.Box(np.array([-1, -3], np.float32), np.array([1, 2], np.float32)))
    assert (box.item.low, box.item.high) == (-3.0, 2.0)
    np.testing.assert_array_equal(box.give(np.array([-3.0, 2.0])), np.array([-1.0, 2.0], np.float32))
    digits = action(spaces.MultiDiscrete([3, 2], start=[1, 5]))
    np.testing.assert_array_equal(digits.give(np.array([2, 1])), [3, 6])
    switches = action(spaces.MultiBinary(3))
    assert switches.give(np.array([0, 1, 1])).dtype == np.int8


def test_random_actions_stay_in_each_range():
    rng = np.random.default_rng(0)
    box = action(spaces.Box(np.array([-1, -3], np.float32), np.array([1, 2], np.float32)))
    drawn = np.stack([box.random(rng) for _ in range(400)])
    np.testing.assert_allclose([drawn.min(axis=0), drawn.max(axis=0)], [[-1, -3], [1, 2]], atol=0.1)
    digits = action(spaces.MultiDiscrete([3, 2]))
    drawn = np.stack([digits.random(rng) for _ in range(100)])
    assert drawn.max(axis=0).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Sequence(FLOAT), "expected Box, Discrete"),
        (spaces.Discrete(2000), r"expected 1 to 1,024 values.*found 2,000"),
        (spaces.Box(0, 255, (4, 84, 84), np.uint8), r"put channels last"),
        (spaces.Dict({"a/b": FLOAT}), "keys are texts without '/', found 'a/b'"),
        (spaces.MultiDiscrete(np.array([[2, 3], [2, 4]])), "rows of a matrix of digits need equal ranges"),
    ],
)
def test_observations_that_are_refused(space, message):
    with pytest.raises(WorldError, match=message):
        gymnasium_spaces.observation_leaves(space)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Dict({"a": FLOAT}), "an action is one array, found Dict"),
        (FLOAT, r"needs a finite range.*found \[-inf\] to \[inf\]"),
    ],
)
def test_actions_that_are_refused(space, message):
    with pytest.raises(WorldError, match=message):
        gymnasium_spaces.action_leaf(space)


def test_specs_of_dm_env():
    found = {
        leaf.item.key: leaf.item
        for leaf in dm_env_specs.observation_leaves(
            {
                "board": specs.BoundedArray((10, 5), np.float32, 0, 1),
                "lives": specs.DiscreteArray(4),
                "on": specs.Array((), bool),
                "told": specs.StringArray(()),
                "parts": [specs.Array((2,), np.float64)],
            }
        )
    }
    assert {key: item.kind for key, item in found.items()} == {
        "board": Kind.CONTINUOUS, "lives": Kind.DISCRETE, "on": Kind.DISCRETE, "parts/0": Kind.CONTINUOUS,
        "told": Kind.TEXT,
    }  # fmt: skip
    assert (found["lives"].num_values, found["on"].num_values) == (4, 2)
    assert dm_env_specs.action_leaf(specs.BoundedArray((2,), np.float64, -2, 2)).item.high == 2.0
    assert dm_env_specs.action_leaf(specs.BoundedArray((), int, 3, 5)).give(np.int32(0)) == 3
    with pytest.raises(WorldError, match="needs a finite range"):
        dm_env_specs.action_leaf(specs.Array((2,), np.float32))


@pytest.mark.parametrize("identifier", ["CartPole-v1", "Pendulum-v1", "Acrobot-v1", "FrozenLake-v1", "Taxi-v4"])
def test_gymnasiums_own(identifier):
    """Environments that come with gymnasium and need nothing else."""
    env = gymnasium.make(identifier)
    assert gymnasium_spaces.observation_leaves(env.observation_space)
    assert gymnasium_spaces.action_leaf(env.action_space)
