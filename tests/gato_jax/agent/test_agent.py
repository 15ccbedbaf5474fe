"""`gato_jax.Agent`: independent environments, prompts, details, and a loop without a single compilation."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest
import scipy.special

import gato_jax
from data_pipelines.errors import TimestepError
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.recorded_tasks import DataError
from gato_jax.config import AgentConfig, Decode, FullWindow, Positions, Sampling
from gato_jax.model.gato import init_parameters
from gato_jax.weights.weights import Weights

SPEC = TaskSpec(
    "toy.arm",
    (ItemSpec("arm/place", Kind.CONTINUOUS, (2,)),),
    ItemSpec("action", Kind.CONTINUOUS, (2,), "float64"),
    30,
)
STEP = 5
"""Tokens of a timestep."""


@pytest.fixture(scope="module")
def weights(tiny):
    experiment = tiny.tiny_experiment(model=tiny.tiny_model(positions=Positions.ROTARY, embedding_scale=0.5))
    mixture = experiment.data.mixture
    group = dataclasses.replace(mixture.groups["control"], window_length=8 * STEP)
    mixture = dataclasses.replace(mixture, groups={**mixture.groups, "control": group})
    experiment = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, mixture=mixture))
    parameters = init_parameters(experiment.model, experiment.data.tokens.vocabulary, key=jax.random.key(0))
    return Weights(experiment, parameters)


def agent_of(weights, **options):
    return gato_jax.Agent(weights, options=AgentConfig(**{"context_timesteps": 6, **options}))


def places(rows, step):
    """Observations that depend on the row's name and the step alone."""
    return {"arm/place": np.stack([np.random.default_rng([row, step]).normal(size=2) for row in rows]).astype("f4")}


def demonstration(number, length=4):
    rng = np.random.default_rng([99, number])
    return [({"arm/place": rng.normal(size=2).astype("f4")}, rng.uniform(-1, 1, 2)) for _ in range(length)]


@pytest.fixture
def compilations():
    """Counts what is compiled while it is used."""
    seen = []

    def listen(event, duration, **more):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(more)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize("full_window", list(FullWindow))
def test_nothing_is_compiled_after_reset(weights, compilations, full_window):
    """Not while windows fill and move, nor when rows are reset with prompts of different lengths."""
    jax.clear_caches()
    # Eight timesteps are enough for the window to be looked at in parts.
    agent = agent_of(weights, full_window=full_window, context_timesteps=8)
    agent.reset(SPEC, seeds=[1, 2, 3], prompts=[demonstration(0), (), demonstration(1, 2)])
    assert compilations, "the count counts"
    del compilations[:]
    for step in range(30):
        agent.act(places([1, 2, 3], step))
        if step in (4, 13):
            agent.reset(seeds=[7], rows=[1], prompts=[demonstration(step, 3)])
    assert not compilations


@pytest.mark.parametrize("decode", [Decode.ARGMAX, Decode.SAMPLE])
def test_rows_are_independent(weights, decode):
    """An episode is the same alone, in any row, and beside others that begin and end at other times."""

    def alone(seed, prompt, length):
        agent = agent_of(weights, decode_others=decode)
        agent.reset(SPEC, seeds=[seed], prompts=[prompt])
        return [agent.act(places([seed], step))[0] for step in range(length)]

    plays = {10: (demonstration(0), 25), 11: ((), 9), 12: (demonstration(1, 2), 14), 13: ((), 7)}
    expected = {seed: alone(seed, *play) for seed, play in plays.items()}
    agent = agent_of(weights, decode_others=decode)
    # Row 0 plays 11, then 12; row 1 plays 10; row 2 plays 13 twice, and then again from its middle on.
    agent.reset(SPEC, seeds=[11, 10, 13], prompts=[plays[11][0], plays[10][0], plays[13][0]])
    rows, steps = [11, 10, 13], [0, 0, 0]
    for _ in range(23):
        observation = {"arm/place": np.concatenate([places([s], t)["arm/place"] for s, t in zip(rows, steps)])}
        for seed, step, action in zip(rows, steps, agent.act(observation), strict=True):
            np.testing.assert_array_equal(action, expected[seed][step], err_msg=f"{seed} at {step}")
        steps = [step + 1 for step in steps]
        if steps[0] == plays[rows[0]][1]:
            rows[0], steps[0] = 12, 0
            agent.reset(seeds=[12], rows=[0], prompts=[plays[12][0]])
        if steps[2] == 7:
            steps[2] = 0
            agent.reset(seeds=[13], rows=[2], prompts="none")
    assert rows == [12, 10, 13]


def test_one_environment_without_numbers_among_others(weights):
    """It is marked, the others act as ever, and a reset brings it back although its window held NaN."""
    agent, rows = agent_of(weights), list(range(3))
    agent.reset(SPEC, seeds=rows)
    expected = [agent.act(places(rows, step)) for step in range(20)]
    agent.reset(seeds=rows)
    for step in range(20):
        observation = places(rows, step)
        if 4 <= step < 8:
            observation["arm/place"][1] = np.nan
        if step == 8:
            agent.reset(seeds=[1], rows=[1])
        if step >= 8:
            observation["arm/place"][1] = places([1], step - 8)["arm/place"][0]
        actions = agent.act(observation)
        others = [0, 2]
        np.testing.assert_array_equal(actions[others], expected[step][others])
        assert np.isnan(actions[1]).all() == (4 <= step < 8)
        assert list(agent.failures) == ([1] if 4 <= step < 8 else [])
        if step >= 8:
            np.testing.assert_array_equal(actions[1], expected[step - 8][1])


def test_details_are_those_of_the_choice(weights):
    agent = agent_of(weights)
    agent.reset(SPEC, seeds=[1, 2, 3])
    details = agent.act(places([1, 2, 3], 0), details=True)
    assert details.actions.shape == (3, 2)
    assert details.actions.dtype == np.float64
    assert (details.high - details.low == 1024).all()
    np.testing.assert_allclose(scipy.special.logsumexp(details.log_probabilities, axis=-1), 0, atol=1e-5)
    np.testing.assert_array_equal(details.log_probabilities.argmax(-1) + details.low.min(), details.ids)
    np.testing.assert_array_equal(details.chosen, details.log_probabilities.max(-1))


def test_top_k_and_top_p_draw_among_the_best(weights):
    rows = list(range(64))

    def draws(**sampling):
        sampling = {"toy": Sampling(**sampling)}
        agent = agent_of(weights, decode_others=Decode.SAMPLE, sampling=sampling, context_timesteps=1)
        agent.reset(SPEC, seeds=rows)
        same = {"arm/place": np.repeat(places([0], 0)["arm/place"], 64, axis=0)}
        details = agent.act(same, details=True)
        # The first place of the action: all rows have the same scores there.
        return details.ids[:, 0], details.log_probabilities[0, 0], int(details.low.min())

    ids, scores, low = draws(top_k=3)
    best = set((np.argsort(scores)[-3:] + low).tolist())
    assert set(ids.tolist()) <= best
    assert len(set(ids.tolist())) > 1
    ids, scores, low = draws(top_p=0.02)
    order = np.argsort(scores)[::-1]
    kept = order[: int(np.searchsorted(np.exp(scores[order]).cumsum(), 0.02)) + 1]
    assert set((ids - low).tolist()) <= set(kept.tolist())
    assert len(kept) < 64
    assert len(set(draws()[0].tolist())) > 30, "without, most of the range is drawn"


def test_other_domains_are_sampled_by_their_own_rule(weights):
    options = AgentConfig(sampling={"other": Sampling(top_k=1)}, temperature=2.0)
    assert options.sampling_of("other").top_k == 1
    assert options.sampling_of("toy") == Sampling(temperature=2.0)


def test_prompts_of_the_data_are_drawn_by_the_seed(tiny_run, recorded_data):
    run = gato_jax.load_weights(tiny_run, data=recorded_data)
    agent = gato_jax.Agent(run, data=recorded_data, options=AgentConfig(context_timesteps=0))
    task = "babyai.go_to_obj"
    spec = agent.reset(task, seeds=[0, 1, 2], prompts="demonstration")
    assert spec.name == task
    assert all("tfrecord" in name for name in agent.prompts)
    names = agent.prompts
    agent.reset(seeds=[2, 5], prompts="goal")
    assert agent.prompts[0] == names[2], "whatever its row, and whatever part is shown"
    agent.reset(seeds=[0], rows=[0], prompts="none")
    assert agent.prompts[0] == ""
    agent.reset(seeds=[0])
    assert (agent.prompts, agent.unprompted) == (("",), "the weights were trained without")
    short = gato_jax.Agent(run, data=recorded_data, options=AgentConfig(context_timesteps=1))
    with pytest.raises(DataError, match="a window of 1 timesteps has no room for a prompt"):
        short.reset(task, prompts="goal")


def test_what_is_wrong_is_said(weights, tiny_run, recorded_data):
    agent = gato_jax.Agent.load(tiny_run, data=recorded_data)
    with pytest.raises(ValueError, match="reset the agent to a task first"):
        agent.act({})
    with pytest.raises(ValueError, match=r"no spec of task 'babyai.go_to_ob'.*'babyai.go_to_obj'"):
        agent.reset("babyai.go_to_ob")
    agent = agent_of(weights, context_timesteps=1)
    agent.reset(SPEC, seeds=[1, 2])
    with pytest.raises(ValueError, match="key 'arm/place': expected 2 observations, one per seed, found 3"):
        agent.act(places([1, 2, 3], 0))
    with pytest.raises(ValueError, match="expected rows of 0 to 1, found 2"):
        agent.reset(seeds=[1], rows=[2])
    with pytest.raises(TimestepError, match="of seed 1', timestep 0, key 'arm/place': expected a value"):
        agent.reset(seeds=[1]) and agent.act({"arm": {"plaice": np.zeros((1, 2))}})
    learned = dataclasses.replace(weights.experiment.model, positions=Positions.LEARNED, max_length=64)
    learned = dataclasses.replace(weights, experiment=dataclasses.replace(weights.experiment, model=learned))
    with pytest.raises(ValueError, match="the paper's memory goes on for ever, but the table of learned positions"):
        agent_of(learned, full_window=FullWindow.XL_MEMORY).reset(SPEC)


def test_it_writes_captions_and_answers(tiny_run, recorded_data):
    agent = gato_jax.Agent.load(tiny_run, data=recorded_data)
    picture = np.zeros((32, 32, 3), np.uint8)
    assert isinstance(agent.write("Return the", tokens=4), str)
    assert isinstance(agent.caption(picture, tokens=3), str)
    said = agent.answer(picture, "What is this?", tokens=3)
    assert said == gato_jax.Generator(agent.weights).answer(picture[None], ["What is this?"], tokens=3)[0]
    assert pathlib.Path(tiny_run).is_dir()
