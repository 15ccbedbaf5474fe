"""What an agent does with an environment it cannot act in: alone it is an error, beside others it is marked."""

import dataclasses

import jax
import numpy as np
import pytest

from data_pipelines.errors import TimestepError
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from gato_jax.agent.policy import Policy
from gato_jax.config import AgentConfig, Decode, Positions
from gato_jax.model.gato import init_parameters
from gato_jax.weights.weights import Weights

SPEC = TaskSpec(
    "toy.mixed",
    (ItemSpec("position", Kind.CONTINUOUS, (2,)),),
    ItemSpec("action", Kind.DISCRETE, (2,), "int32", radix=(3, 5)),
    100,
)


@pytest.fixture(scope="module")
def weights(tiny):
    experiment = tiny.tiny_experiment(model=tiny.tiny_model(positions=Positions.LEARNED, embedding_scale=0.5))
    parameters = init_parameters(experiment.model, experiment.data.tokens.vocabulary, key=jax.random.key(0))
    return Weights(experiment, parameters)


def policy_of(weights, *, poisoned=(), **agent):
    """The policy; with the observation's row of the token table not finite, so that only its logits are not."""
    policy = Policy(weights, SPEC, agent=AgentConfig(**agent))
    tokens = np.array(weights.parameters["embedding"]["tokens"])
    for value in poisoned:
        tokens[policy._tokenizer.encode_observation({"position": np.full(2, value)})["tokens"][0]] = np.nan
    changed = {**weights.parameters, "embedding": {**weights.parameters["embedding"], "tokens": tokens}}
    return Policy(dataclasses.replace(weights, parameters=changed), SPEC, agent=policy.agent)


def observe(*values):
    return [{"position": np.full(2, value, np.float32)} for value in values]


@pytest.mark.parametrize("agent", [{"context_timesteps": 1}, {"decode_others": Decode.SAMPLE}])
def test_one_environment_without_finite_logits_is_an_error(weights, agent):
    policy = policy_of(weights, poisoned=[3.0], **agent)
    policy.reset([7])
    policy.act(observe(0.1)[0])
    message = (
        r"task 'toy.mixed', episode 'of seed 7', timestep 1, key 'action': expected finite logits.* found nan or inf"
    )
    for _ in range(2):  # It stays an error: what the window holds is lost.
        with pytest.raises(TimestepError, match=message):
            policy.act(observe(3.0)[0])


@pytest.mark.parametrize("agent", [{"context_timesteps": 1}, {"decode_others": Decode.SAMPLE}])
@pytest.mark.parametrize("wrong", [3.0, np.nan])
def test_in_a_batch_the_others_go_on(weights, agent, wrong):
    """Their actions are those of a batch without the failure."""
    policy = policy_of(weights, poisoned=[3.0], **agent)
    sound, expected = observe(0.1, 0.2, 0.3), []
    policy.reset([1, 2, 3])
    expected = [policy.act(sound) for _ in range(4)]
    policy.reset([1, 2, 3])
    for step in range(4):
        given = [sound[0], observe(wrong)[0], sound[2]] if step == 1 else sound
        actions = policy.act(given)
        np.testing.assert_array_equal(actions[[0, 2]], expected[step][[0, 2]])
        assert (actions[1] == (expected[0][1] if step == 0 else -1)).all(), step
        assert list(policy.failures) == ([] if step == 0 else [1])
    assert "episode 'of seed 2', timestep 1" in str(policy.failures[1])
    policy.reset([1, 2, 3])
    assert not policy.failures
    np.testing.assert_array_equal(policy.act(sound), expected[0])


def test_when_all_have_failed_the_first_is_named(weights):
    policy = policy_of(weights, context_timesteps=1)
    policy.reset([1, 2])
    policy.act(observe(np.nan, 0.1))
    with pytest.raises(TimestepError, match="of seed 1', timestep 0, key 'position': expected a finite number"):
        policy.act(observe(0.1, np.inf))


def test_digits_of_an_action_stay_in_their_own_ranges(weights):
    """(3, 5): no action has the digits (4, 4)."""
    policy = policy_of(weights, context_timesteps=1, decode_others=Decode.SAMPLE, temperature=100.0)
    policy.reset(range(64))
    actions = policy.act(observe(*np.linspace(-1, 1, 64)))
    assert actions.max(axis=0).tolist() == [2, 4]
    assert actions.min() == 0


def test_ids_without_an_order_have_no_mean(weights):
    agent = AgentConfig(decode_others=Decode.MEAN)
    pushed = dataclasses.replace(SPEC, action=ItemSpec("action", Kind.CONTINUOUS, (2,)))
    assert Policy(weights, SPEC, agent=agent).manner == "argmax"
    assert Policy(weights, pushed, agent=agent).manner == "mean"
