"""Properties of the network: what may depend on what, and that every short cut equals the long way."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data_pipelines.schema import RowGroup
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.config import FeedForward, ModelConfig, Norm, Positions
from gato_jax.model import presets
from gato_jax.model.gato import INPUTS, PATCH_INPUTS, bind, count_parameters, init_parameters

SCHEMES = pytest.mark.parametrize("positions", list(Positions))
GROUP = RowGroup(("a",), windows=2, window_length=12, patches=3, targets=3)


@pytest.fixture(scope="module")
def model_of(tiny):
    @functools.cache
    def build(positions, **changes):
        config = tiny.tiny_model(positions=positions, **changes)
        return config, init_parameters(config, tiny.VOCABULARY, key=jax.random.key(0))

    return build


@pytest.fixture(scope="module")
def batch(tiny):
    rows = tiny.rows(GROUP, 4, 0)
    rows["token_type"][:, 10:12] = TokenType.PADDING  # holes, where a short text would leave them
    rows["loss_mask"][:, 10:12] = 0
    return {name: jnp.asarray(value) for name, value in rows.items()}


def hidden(config, vocabulary, parameters, batch, group, **options):
    run = lambda p, b: bind(config, vocabulary, p).hidden(b, window_length=group.window_length, **options)  # noqa: E731
    return jax.jit(run)(parameters, batch)


@pytest.mark.parametrize(
    ("preset", "published"),
    [
        (presets.gato_79m, 79e6),
        (presets.gato_364m, 364e6),
        (presets.gato_1b, 1.18e9),
        (presets.gato_7b, 6.64e9),
        (presets.gato_30b, 31.2e9),
        (presets.gato_70b, 78.1e9),
    ],
)
def test_presets_have_the_papers_sizes(preset, published):
    assert count_parameters(preset(), Vocabulary()) == pytest.approx(published, rel=0.007)
    assert count_parameters(preset(scan_layers=True), Vocabulary()) == count_parameters(preset(), Vocabulary())


@SCHEMES
def test_causality(positions, model_of, batch, tiny):
    """A changed token leaves the logits of earlier places, and of the other segment, exactly as they were."""
    config, parameters = model_of(positions)
    changed = {**batch, "tokens": batch["tokens"].at[:, 7].set(batch["tokens"][:, 7] % 1000 + 1)}
    run = jax.jit(lambda p, b: bind(config, tiny.VOCABULARY, p)(b, window_length=12).reshape(8, 12, -1))
    before, after = (np.asarray(run(parameters, b))[..., : tiny.VOCABULARY.size] for b in (batch, changed))
    np.testing.assert_array_equal(before[0::2, :7], after[0::2, :7])
    np.testing.assert_array_equal(before[1::2], after[1::2])
    assert np.abs(before[0::2, 7] - after[0::2, 7]).max() > 1e-4
    assert np.abs(before[0::2, 8] - after[0::2, 8]).max() > 1e-6


def test_padding_is_never_seen(model_of, batch, tiny):
    config, parameters = model_of(Positions.ROTARY)
    other = {**batch, "tokens": batch["tokens"].at[:, 10:12].set(7)}
    run = functools.partial(hidden, config, tiny.VOCABULARY, parameters, group=GROUP)
    np.testing.assert_array_equal(run(batch)[0::2, :10], run(other)[0::2, :10])


@SCHEMES
def test_packed_segments_equal_rows_of_their_own(positions, model_of, batch, tiny):
    config, parameters = model_of(positions)
    alone = dataclasses.replace(GROUP, windows=1)
    rows = {name: batch[name].reshape(8, 12) for name in INPUTS}
    slots = np.asarray(batch["patch_slot"])  # all in the first segment
    empty = np.full_like(slots, 12)
    rows["patch_slot"] = np.stack([np.where(slots < 12, slots, 12), empty], axis=1).reshape(8, -1)
    for name in ("patches", "patch_interval"):
        rows[name] = np.repeat(np.asarray(batch[name]), 2, axis=0)
    packed = hidden(config, tiny.VOCABULARY, parameters, batch, GROUP)
    np.testing.assert_allclose(packed, hidden(config, tiny.VOCABULARY, parameters, rows, alone), atol=1e-5)


@pytest.mark.parametrize("positions", [Positions.TRANSFORMER_XL, Positions.LEARNED])
def test_segment_ids_separate_what_one_window_holds(positions, model_of, batch, tiny):
    """Two segments in one window (ids 1, 2) equal the same two folded."""
    config, parameters = model_of(positions)
    window = dataclasses.replace(GROUP, windows=1, window_length=24)
    one = hidden(config, tiny.VOCABULARY, parameters, batch, window).reshape(8, 12, -1)
    np.testing.assert_allclose(one, hidden(config, tiny.VOCABULARY, parameters, batch, GROUP), atol=1e-5)


@SCHEMES
@pytest.mark.parametrize("scan", [False, True])
def test_target_hidden_equals_hidden_there(positions, scan, model_of, batch, tiny):
    config, parameters = model_of(positions, scan_layers=scan)

    @jax.jit
    def run(p, b):
        model = bind(config, tiny.VOCABULARY, p)
        return model.hidden(b, window_length=12), model.target_hidden(b, group=GROUP)

    everywhere, at_targets = run(parameters, batch)
    there = np.take_along_axis(np.asarray(everywhere), np.asarray(at_targets.chosen)[:, :, None], axis=1)
    np.testing.assert_allclose(at_targets.hidden, there, atol=1e-5)
    mask = np.asarray(batch["loss_mask"]).reshape(8, 12)
    for row in range(8):
        target_steps = np.flatnonzero(mask[row, 1:])
        real = np.asarray(at_targets.weights[row]) > 0
        np.testing.assert_array_equal(np.asarray(at_targets.chosen[row])[real], target_steps)
        targets = np.asarray(batch["targets"]).reshape(8, 12)[row, target_steps + 1]
        np.testing.assert_array_equal(np.asarray(at_targets.targets[row])[real], targets)


def test_targets_stay_inside_a_segment(tiny, model_of):
    """The first place of a window is no target: nothing of that window stands before it."""
    rows = tiny.rows(GROUP, 2, 0)
    rows["loss_mask"][...] = 0
    rows["loss_mask"][:, [0, 5, 12, 20]] = 1
    config, parameters = model_of(Positions.NONE)
    window = dataclasses.replace(GROUP, windows=1, window_length=24)
    for group, expected in ((GROUP, [[4, 0, 0], [7, 0, 0]]), (window, [[4, 19, 0]])):
        at_targets = jax.jit(lambda p, g=group: bind(config, tiny.VOCABULARY, p).target_hidden(rows, group=g))(
            parameters
        )
        assert at_targets.chosen[: len(expected)].tolist() == expected
        assert at_targets.weights.sum() == 4


def test_scanned_layers_equal_unrolled(model_of, batch, tiny):
    plain, parameters = model_of(Positions.TRANSFORMER_XL)
    scanned, stacked = model_of(Positions.TRANSFORMER_XL, scan_layers=True)
    layers = parameters["transformer"]["blocks"]
    for layer, name in enumerate(sorted(layers)):
        jax.tree.map(
            lambda a, b, i=layer: np.testing.assert_array_equal(a, b[i]), layers[name], stacked["transformer"]["stack"]
        )
    remat = dataclasses.replace(scanned, remat=True)
    expected = hidden(plain, tiny.VOCABULARY, parameters, batch, GROUP)
    for config in (scanned, remat):
        np.testing.assert_allclose(hidden(config, tiny.VOCABULARY, stacked, batch, GROUP), expected, atol=1e-5)


@SCHEMES
@pytest.mark.parametrize("pieces", [(5, 6, 12), tuple(range(1, 13))], ids=["chunks", "one_by_one"])
def test_cached_decoding_equals_recomputation(positions, pieces, model_of, batch, tiny):
    config, parameters = model_of(positions)
    alone = dataclasses.replace(GROUP, windows=1)
    rows = {name: np.asarray(batch[name])[:, :12] for name in INPUTS} | {n: np.asarray(batch[n]) for n in PATCH_INPUTS}
    rows["patch_slot"] = np.minimum(rows["patch_slot"], 12)
    expected = hidden(config, tiny.VOCABULARY, parameters, rows, alone)
    extend = jax.jit(lambda p, i, c: bind(config, tiny.VOCABULARY, p).extend(i, c))
    cache = bind(config, tiny.VOCABULARY, parameters).init_cache(4, 20)  # longer than needed
    start, pieces_of_hidden = 0, []
    for stop in pieces:
        part = {name: rows[name][:, start:stop] for name in INPUTS}
        slot = np.where(
            (rows["patch_slot"] >= start) & (rows["patch_slot"] < stop), rows["patch_slot"] - start, stop - start
        )
        part |= {"patches": rows["patches"], "patch_interval": rows["patch_interval"], "patch_slot": slot}
        x, cache = extend(parameters, part, cache)
        pieces_of_hidden.append(x)
        start = stop
    assert int(cache.size) == 12
    real = np.asarray(rows["token_type"]) != TokenType.PADDING
    np.testing.assert_allclose(np.concatenate(pieces_of_hidden, axis=1)[real], np.asarray(expected)[real], atol=2e-5)


def test_padded_ids_are_impossible(model_of, tiny):
    config, parameters = model_of(Positions.NONE)
    logits = bind(config, tiny.VOCABULARY, parameters).logits(jnp.ones((2, config.width)))
    assert logits.shape == (2, tiny.VOCABULARY.padded_size)
    assert logits.dtype == jnp.float32
    assert np.isneginf(logits[:, tiny.VOCABULARY.size :]).all()
    assert np.isfinite(logits[:, : tiny.VOCABULARY.size]).all()


def test_groups_without_patches_never_run_the_block(model_of, tiny):
    config, parameters = model_of(Positions.NONE)
    group = dataclasses.replace(GROUP, patches=0)
    run = lambda p, b: bind(config, tiny.VOCABULARY, p).hidden(b, window_length=group.window_length)  # noqa: E731
    assert "conv_general" not in str(jax.make_jaxpr(run)(parameters, tiny.rows(group, 2, 0)))


def test_stochastic_depth_skips_whole_rows(tiny, batch):
    """With everything skipped but the expectation kept, rows differ between keys and agree with themselves."""
    config = tiny.tiny_model(positions=Positions.NONE, stochastic_depth=0.5)
    parameters = init_parameters(config, tiny.VOCABULARY, key=jax.random.key(0))
    run = lambda seed: hidden(config, tiny.VOCABULARY, parameters, batch, GROUP, key=jax.random.key(seed))  # noqa: E731
    first, second = run(0), run(1)
    np.testing.assert_array_equal(first, run(0))
    assert np.abs(first - second).max() > 1e-3


def test_learned_positions_refuse_longer_segments(model_of, batch, tiny):
    config, parameters = model_of(Positions.LEARNED, max_length=8)
    with pytest.raises(ValueError, match=r"window length 12 exceeds model\.max_length 8"):
        bind(config, tiny.VOCABULARY, parameters).hidden(batch, window_length=12)
    with pytest.raises(ValueError, match=r"cache length 9 exceeds"):
        bind(config, tiny.VOCABULARY, parameters).init_cache(1, 9)


def test_full_geglu_and_rms(tiny, batch):
    config = tiny.tiny_model(feed_forward=FeedForward.GEGLU, norm=Norm.RMS)
    split = dataclasses.replace(config, feed_forward=FeedForward.GEGLU_SPLIT)
    width, hidden_width = config.width, config.hidden
    difference = count_parameters(config, tiny.VOCABULARY) - count_parameters(split, tiny.VOCABULARY)
    assert difference == config.layers * 3 * width * hidden_width // 2
    parameters = init_parameters(config, tiny.VOCABULARY, key=jax.random.key(0))
    assert np.isfinite(hidden(config, tiny.VOCABULARY, parameters, batch, GROUP)).all()


def test_config_errors_carry_the_numbers():
    good = {"width": 8, "layers": 1, "heads": 1, "head_size": 8, "hidden": 8}
    for changes, message in (
        ({"layers": 0}, r"model\.layers must be positive, found 0"),
        ({"hidden": 7}, r"must be even, found 7"),
        (
            {"patch_channels": 6, "patch_groups": 4},
            r"model\.patch_channels 6 is not divisible by model\.patch_groups 4",
        ),
        ({"stochastic_depth": 1.0}, r"model\.stochastic_depth must be in \[0, 1\), found 1\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            ModelConfig(**{**good, **changes})
