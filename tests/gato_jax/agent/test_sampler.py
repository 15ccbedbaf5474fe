"""Cached decoding: equal to recomputation, row by row, inside the legal ids, and reproducible."""

import importlib.util
import pathlib

import jax
import numpy as np
import pytest
import scipy.special

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers.layout import ActionPositions, TimestepLayout, TokenConfig
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import Vocabulary
from gato_jax.agent.fields import concatenate, timestep_fields
from gato_jax.agent.sampler import ActionSampler
from gato_jax.config import Decode, Positions, Sampling
from gato_jax.model.gato import init_parameters

_file = importlib.util.spec_from_file_location("recomputation", pathlib.Path(__file__).with_name("recomputation.py"))
recomputation = importlib.util.module_from_spec(_file)
_file.loader.exec_module(recomputation)

VOCABULARY = Vocabulary(1024)
TOKENS = TokenConfig(VOCABULARY)
SPECS = {
    "continuous": TaskSpec(
        "toy.continuous",
        (ItemSpec("position", Kind.CONTINUOUS, (3,)), ItemSpec("velocity", Kind.CONTINUOUS, (2,))),
        ItemSpec("action", Kind.CONTINUOUS, (3,)),
        100,
    ),
    "picture": TaskSpec(
        "toy.picture",
        (
            ItemSpec("frame", Kind.IMAGE, (32, 16, 3), "uint8"),
            ItemSpec("lives", Kind.DISCRETE, (), "int32", num_values=4),
        ),
        ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=5),
        100,
    ),
}


def observation(spec: TaskSpec, rows: int, seed: int) -> dict:
    rng = np.random.default_rng(seed)
    values = {}
    for item in spec.observation:
        if item.kind is Kind.CONTINUOUS:
            values[item.key] = rng.normal(size=(rows, *item.shape)).astype(np.float32)
        else:
            values[item.key] = rng.integers(0, item.num_values or 256, (rows, *item.shape)).astype(item.dtype)
    return values


@pytest.fixture(scope="module")
def model(tiny):
    return build(tiny, Positions.TRANSFORMER_XL)


def build(tiny, positions):
    # Large embeddings, so that logits differ enough for the greedy choice not to be a tie.
    config = tiny.tiny_model(positions=positions, embedding_scale=0.5, max_length=64)
    return config, init_parameters(config, VOCABULARY, key=jax.random.key(3))


def make(model, kind, tokens=TOKENS, **options):
    config, parameters = model
    layout = TimestepLayout.build(SPECS[kind], tokens)
    return ActionSampler(config, VOCABULARY, parameters, layout, **options), TimestepTokenizer(layout)


def best(logits):
    return logits.argmax(axis=-1)


def middle(logits):
    """The mean of the distribution, in float64."""
    shares = scipy.special.softmax(logits.astype(np.float64), axis=-1)
    return np.round(shares @ np.arange(logits.shape[-1]))


def greedy_by_recomputation(model, layout, timesteps, current, *, window=3, choose=best):
    """Actions without a cache: the whole window anew for every token."""
    config, parameters = model
    action = np.zeros((len(current["tokens"]), 0), np.int32)
    for place in range(len(layout.action_low)):
        last = timestep_fields(current, action, layout) if place else current
        fields = concatenate([*timesteps, last])
        end = fields["tokens"].shape[1] - 1
        fields = pad_patches(recomputation.pad(fields, window * layout.length), window * layout.patches)
        logits = np.asarray(recomputation.recompute(parameters, fields, config=config, vocabulary=VOCABULARY)[:, end])
        low, high = layout.action_low[place], layout.action_high[place]
        chosen = choose(logits[:, low:high]) + low
        action = np.concatenate([action, chosen[:, None].astype(np.int32)], axis=1)
    return action


def pad_patches(fields, count):
    """Unused patches up to `count`, so that all calls have one shape."""
    if not count:
        return fields
    missing = count - fields["patches"].shape[1]
    unused = fields["tokens"].shape[1]
    wide = [(0, 0), (0, missing), (0, 0)]
    return {
        **fields,
        "patches": np.pad(fields["patches"], wide),
        "patch_interval": np.pad(fields["patch_interval"], wide),
        "patch_slot": np.pad(fields["patch_slot"], wide[:2], constant_values=unused),
    }


@pytest.mark.parametrize(
    ("kind", "positions", "action"),
    [
        ("continuous", Positions.TRANSFORMER_XL, ActionPositions.NONE),
        ("continuous", Positions.TRANSFORMER_XL, ActionPositions.SAME),
        ("continuous", Positions.TRANSFORMER_XL, ActionPositions.LOCAL),
        ("picture", Positions.LEARNED, ActionPositions.LOCAL),
        ("continuous", Positions.ROTARY, ActionPositions.NONE),
    ],
)
def test_cached_acting_equals_recomputation_across_refills(tiny, kind, positions, action):
    model = build(tiny, positions)
    tokens = TokenConfig(VOCABULARY, action_positions=action, max_observation_tokens=31)
    sampler, tokenizer = make(model, kind, tokens, window=3)
    sampler.reset([1, 2])
    timesteps: list[dict] = []
    for step in range(6):  # the window is full from the third step on
        fields = tokenizer.encode_observation(observation(SPECS[kind], 2, step))
        expected = greedy_by_recomputation(model, sampler.layout, timesteps, fields)
        sampled = sampler(fields)
        np.testing.assert_array_equal(sampled, expected)
        timesteps = [*timesteps, timestep_fields(fields, sampled, sampler.layout)][-2:]  # drop 1 of 3, keep 2


def test_drop_says_how_much_is_forgotten(model):
    sampler, tokenizer = make(model, "picture", window=4, drop=3)
    sampler.reset([0])
    seen = []
    for step in range(7):
        sampler(tokenizer.encode_observation(observation(SPECS["picture"], 1, step)))
        seen.append(int(sampler.episodes.length[0]))
    assert seen == [1, 2, 3, 4, 2, 3, 4]


def test_a_prompt_stands_before_the_episode_and_survives_a_reset(model):
    spec = SPECS["continuous"]
    plain, tokenizer = make(model, "continuous", window=3)
    rng = np.random.default_rng(0)
    fields = tokenizer.encode_observation(observation(spec, 1, 10))
    action = tokenizer.encode_action(rng.uniform(-1, 1, (1, 3)).astype(np.float32))
    step = timestep_fields(fields, action, plain.layout)
    prompted, _ = make(model, "continuous", window=3, prompt=[step])
    current = tokenizer.encode_observation(observation(spec, 2, 11))
    twice = {name: np.repeat(array, 2, axis=0) for name, array in step.items()}
    for _ in range(2):
        prompted.reset([0, 1])
        sampled = prompted(current)
        np.testing.assert_array_equal(sampled, greedy_by_recomputation(model, plain.layout, [twice], current))
    with pytest.raises(ValueError, match="leaves no room"):
        make(model, "continuous", window=1, prompt=[step])


@pytest.mark.parametrize(("decode", "window"), [(Decode.ARGMAX, 1), (Decode.SAMPLE, 2)])
def test_a_batch_acts_as_its_rows_do_alone(model, decode, window):
    spec, seeds = SPECS["continuous"], [5, 7, 9]
    batch, tokenizer = make(model, "continuous", window=window, decode=decode)
    batch.reset(seeds)
    alone = [make(model, "continuous", window=window, decode=decode)[0] for _ in seeds]
    for sampler, seed in zip(alone, seeds, strict=True):
        sampler.reset([seed])
    for step in range(2):
        values = observation(spec, 3, step)
        together = batch(tokenizer.encode_observation(values))
        for i, sampler in enumerate(alone):
            one = tokenizer.encode_observation({key: array[i : i + 1] for key, array in values.items()})
            np.testing.assert_array_equal(sampler(one)[0], together[i])


@pytest.mark.parametrize("kind", SPECS)
def test_samples_stay_in_the_legal_ids_and_repeat_for_a_seed(model, kind):
    sampler, tokenizer = make(model, kind, decode=Decode.SAMPLE, sampling=Sampling(temperature=100.0))
    fields = tokenizer.encode_observation(observation(SPECS[kind], 64, 0))

    def draw(first):
        sampler.reset(range(first, first + 64))
        return np.concatenate([sampler(fields) for _ in range(3)])

    tokens = draw(0)
    assert (tokens >= sampler.layout.action_low).all()
    assert (tokens < sampler.layout.action_high).all()
    assert len(np.unique(tokens)) > 4, "a hot sample visits most of the range"
    np.testing.assert_array_equal(tokens, draw(0))
    assert (tokens != draw(100)).any()
    tokenizer.decode_action(tokens)


def test_the_mean_is_that_of_the_legal_ids(model):
    sampler, tokenizer = make(model, "continuous", decode=Decode.MEAN)
    sampler.reset([1, 2, 3])
    fields = tokenizer.encode_observation(observation(SPECS["continuous"], 3, 0))
    expected = greedy_by_recomputation(model, sampler.layout, [], fields, window=1, choose=middle)
    actual = sampler(fields)
    assert len(np.unique(expected)) > 3
    # The next bin, where a mean lies between two and float32 says the other.
    np.testing.assert_allclose(actual, expected, atol=1)


def test_wrong_number_of_observations(model):
    sampler, tokenizer = make(model, "continuous")
    sampler.reset([0, 1])
    with pytest.raises(ValueError, match="expected 2 observations"):
        sampler(tokenizer.encode_observation(observation(SPECS["continuous"], 3, 0)))
