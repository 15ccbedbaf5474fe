"""The ring of a task holds every timestep once, and a window's place in it follows from its number alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.sequences.ring import Ring, stretches

lengths = st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(any)


@given(lengths, st.integers(1, 9), st.integers(1, 4), st.none() | st.just((5,)))
@settings(max_examples=60, deadline=None)
def test_stretches_hold_every_timestep_once(timesteps, window, stretch, key):
    parts = stretches(timesteps, window, key, stretch)
    held = [
        (record, begin + step)
        for record, begin, length in zip(parts.record, parts.begin, parts.length, strict=True)
        for step in range(length)
    ]
    expected = [(record, step) for record, length in enumerate(timesteps) for step in range(length)]
    assert sorted(held) == expected
    if key is None:
        assert held == expected
    else:
        assert parts.length.max() <= window * stretch


@given(lengths, st.integers(1, 12), st.sampled_from([0.0, 0.25, 0.6, 1.0]), st.booleans(), st.integers(0, 300))
@settings(max_examples=80, deadline=None)
def test_windows_take_the_ring_without_a_gap_from_any_number_on(timesteps, window, share, pack, first):
    prompt = window // 2
    ring = Ring.build(np.array(timesteps), window=window, prompt=prompt, share=share if prompt else 0.0, pack=pack)
    whole, later = ring.cut(0, first + 70), ring.cut(first, 70)
    np.testing.assert_array_equal(whole.start[1:], whole.start[:-1] + whole.own[:-1])
    assert whole.start[0] == 0
    assert (whole.own >= 1).all()
    assert (whole.own + whole.prompt <= window).all()
    for name in ("start", "own", "prompt"):
        np.testing.assert_array_equal(getattr(whole, name)[first:], getattr(later, name))


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_the_share_of_prompts_is_exact_in_every_block(share):
    ring = Ring.build(np.array([1000]), window=8, prompt=4, share=share)
    prompted = ring.cut(0, 64 * 20).prompt.reshape(20, 64) > 0
    assert (prompted.sum(axis=1) == 64 * share).all()
    if share < 1:
        assert (prompted != prompted[0]).any(axis=1).sum() == 19, "other windows in every block"


@pytest.mark.parametrize(("episode", "window", "prompt"), [(1000, 20, 0), (1000, 20, 10), (12, 4, 2), (4, 16, 0)])
def test_windows_begin_at_every_timestep_in_the_end(episode, window, prompt):
    """Also where a pass is a multiple of the window: the next pass would cut at the same places for ever."""
    ring = Ring.build(np.array([episode] * 3), window=window, prompt=prompt, share=0.25 if prompt else 0.0)
    starts = ring.cut(0, ring.period * 2 * window).start
    assert len(np.unique(starts % window)) == window
    assert ring.short < window


def test_the_order_is_random_and_that_of_the_key():
    orders = [stretches(np.full(40, 5), 5, (key,), 1).record.tolist() for key in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1]
    assert orders[0] != sorted(orders[0])


def test_neighbours_stay_together_where_there_are_thousands():
    record = stretches(np.full(6400, 5), 5, (1,), 1).record
    blocks = record // 32
    assert (blocks[1:] != blocks[:-1]).sum() == 199
    assert blocks.tolist() != sorted(blocks.tolist())


@given(lengths, st.integers(1, 12), st.sampled_from([0.0, 0.25, 0.6, 1.0]), st.booleans(), st.none() | st.just((3,)))
@settings(max_examples=80, deadline=None)
def test_the_first_pass_holds_every_timestep_once(timesteps, window, share, pack, key):
    """However many windows begin with a prompt: their mean does not tell."""
    prompt = window // 2
    share = share if prompt else 0.0
    ring = Ring.build(np.array(timesteps), window=window, prompt=prompt, share=share, pack=pack, key=key)
    windows = ring.first_pass()
    np.testing.assert_array_equal(windows.start, np.cumsum(windows.own) - windows.own)
    assert windows.own.sum() == sum(timesteps)
    assert (windows.own >= 1).all()
