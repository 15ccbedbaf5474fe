import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_pipelines.errors import TimestepError
from gato_jax.serving.session import RequestError, Session

TASK = "metaworld.drawer_close"


@pytest.fixture
def session(agent):
    return Session(agent.sibling(), task=TASK)


def test_actions_are_those_of_the_agent(agent, session, observe, spec):
    """The same episode, played without a session."""
    other = agent.sibling()
    other.reset(TASK, seeds=[7])
    assert session.reply({"reset": True, "seed": 7})["seed"] == 7
    for number in range(5):
        reply = session.reply(observe(number))
        np.testing.assert_array_equal(reply["actions"], other.act(observe(number))[None])
        assert reply["actions"].shape == (1, *spec.action.shape)
        assert reply["server_timing"]["infer_ms"] > 0


def test_the_first_message_begins_an_episode_and_reset_the_next(session, observe):
    assert session.reply(observe(0))["actions"].shape == (1, 4)
    session.reply(observe(1))
    assert (session.episode, session.step) == (0, 2)
    session.reply({"reset": True, **observe(0)})
    assert (session.episode, session.step) == (1, 1)


def test_the_last_seed_is_followed_by_the_first(session):
    assert session.reply({"reset": True, "seed": 2**32 - 1})["seed"] == 2**32 - 1
    assert session.reply({"reset": True})["seed"] == 0


def test_episodes_of_other_tasks_can_be_asked_for(session, observe):
    session.reply(observe(0))
    begun = session.reply({"reset": True, "task": "babyai.go_to_obj"})
    assert begun["task"] == "babyai.go_to_obj"
    assert begun["action"]["kind"] == "discrete"
    assert "mission" in begun["observation"]


BAD = [
    ({"task": TASK}, "task: allowed with reset alone"),
    ({"reset": 1}, "reset: expected true or false, found 1"),
    ({"reset": True, "task": "metaworld.drawer"}, "task: expected one of .*metaworld.drawer_close.*'metaworld.drawer'"),
    ({"reset": True, "task": 3}, "task: expected one of"),
    ({"reset": True, "seed": -1}, "seed: expected an integer"),
    ({"reset": True, "seed": True}, "seed: expected an integer"),
    ({"state": np.zeros(39, "f4"), "image": 1}, "unknown"),
    ({"observation": {}}, "missing"),
    ({1: 2}, "expected text as keys"),
]


@pytest.mark.parametrize(("message", "expected"), BAD)
def test_a_wrong_message_is_said_and_changes_nothing(agent, observe, message, expected):
    """The episode goes on as one that never got the message."""
    ours, other = (Session(agent.sibling(), task=TASK) for _ in range(2))
    for session in (ours, other):
        session.reply(observe(0))
    with pytest.raises(RequestError, match=expected):
        ours.reply(message)
    np.testing.assert_array_equal(ours.reply(observe(1))["actions"], other.reply(observe(1))["actions"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda value: value[:-1], "expected shape"),
        (lambda value: value.astype(str), "expected float"),
        (lambda value: value + 1j, "expected float"),
        (lambda value: [[1], [1, 2]], ".*uneven lists"),
    ],
)
def test_a_wrong_array_is_named(session, observe, spec, change, expected):
    (key,) = (item.key for item in spec.observation[:1])
    with pytest.raises(RequestError, match=f"key '{key}': {expected}"):
        session.reply({**observe(0), key: change(observe(0)[key])})


def test_numbers_of_another_width_are_taken(agent, observe):
    narrow, wide = (Session(agent.sibling(), task=TASK) for _ in range(2))
    expected = narrow.reply(observe(0))["actions"]
    found = wide.reply({key: value.astype("f8").tolist() for key, value in observe(0).items()})["actions"]
    np.testing.assert_array_equal(found, expected)


def test_a_value_that_is_no_number_ends_the_episode(session, observe):
    session.reply(observe(0))
    wrong = {key: np.full_like(value, np.nan) for key, value in observe(1).items()}
    with pytest.raises(TimestepError, match="the episode is over, send reset"):
        session.reply(wrong)
    session.reply({"reset": True, **observe(1)})
    assert session.episode == 1


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(), st.text(max_size=4),
                   st.binary(max_size=4), st.lists(st.floats(), max_size=4))  # fmt: skip
MESSAGES = st.dictionaries(
    st.sampled_from(["reset", "task", "seed", "state", "a/b", ""]),
    st.recursive(LEAVES, lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=4),
    max_size=4,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(MESSAGES)
def test_any_message_is_answered_or_refused_in_words(session, message):
    with contextlib.suppress(ValueError):
        session.reply(message)
