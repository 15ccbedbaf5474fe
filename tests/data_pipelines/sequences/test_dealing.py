"""The law of dealing: over any stretch every timestep of a task comes as often as any other, give or take a pass.

In figures: over a stretch in which the mean timestep is dealt 20 times or more, most over least is at most 1.1.
"""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_pipelines.mixtures.named import NAMED
from data_pipelines.sequences import cuts
from data_pipelines.sequences.dealing import Ledger, deal, quotas, turns
from data_pipelines.sequences.ring import Ring

SHARES = list(NAMED["gato"].shares.values())
"""The 24 rows of Table 1."""


def deal_all(timesteps, *, window, prompt, share, pack, shards, rows, segments, steps, other, seed=0, agents=1):
    """Own timesteps (numbers over all episodes) of each window of task "a", in the order of dealing, for ever."""
    timesteps = np.asarray(timesteps)
    ring = Ring.build(timesteps, window=window, prompt=prompt, share=share, pack=pack, key=(seed,), stretch=8)
    agent, begins = np.arange(len(timesteps)) % agents, np.cumsum(timesteps) - timesteps
    ledger, segment = Ledger(seed, "g", steps), 0
    while True:
        before, now = ledger.rows(segment, [(0, {"a": 1.0, "b": other})], ["a", "b"], {0: rows})
        turn = turns(now, np.random.default_rng([seed, segment])).reshape(steps, shards, -1)
        shard = np.broadcast_to(np.arange(shards)[None, :, None], turn.shape)
        dealers = np.repeat(shard[turn == 0], segments)
        deals = deal(ring, int(before[0]) * segments, dealers, range(shards), at_a_time=32, key=(seed, segment))
        dealt = {}
        for number, part in deals.items():
            visits, windows = cuts.cut(
                ring, part.windows, timesteps=timesteps, agent=agent, end_share=0.5,
                random=np.random.default_rng([seed, segment, number]),
            )  # fmt: skip
            first = np.repeat(visits.begin + begins[visits.record], visits.count) + windows.begin
            place = np.cumsum(windows.own) - windows.own
            numbers = np.repeat(first - place, windows.own) + np.arange(windows.own.sum())
            ends = np.cumsum(part.windows.own)
            dealt[number] = iter([numbers[ends[index] - part.windows.own[index] : ends[index]] for index in part.order])
        for number in dealers:
            yield next(dealt[number])
        segment += 1


@given(
    timesteps=st.lists(st.integers(1, 12) | st.integers(1, 60), min_size=2, max_size=10),
    window=st.integers(1, 16),
    share=st.sampled_from([0.0, 0.25, 1.0]),
    pack=st.booleans(),
    shards=st.sampled_from([1, 2, 8]),
    segments=st.integers(1, 3),
    steps=st.sampled_from([5, 20]),
    other=st.sampled_from([0.3, 3.0]),
    skipped=st.sampled_from([0.0, 0.3, 0.5, 2.0]),
)
@example(
    timesteps=[1000, 1], window=2, share=0.0, pack=True, shards=64, segments=1, steps=40, other=0.3, skipped=0.0
)  # fmt: skip
@example(
    timesteps=[1] * 11 + [700], window=9, share=0.25, pack=True, shards=8, segments=2, steps=3, other=3.0, skipped=0.4
)  # fmt: skip
@settings(max_examples=10, deadline=None)
def test_the_law_of_dealing(timesteps, window, share, pack, shards, segments, steps, other, skipped):
    """Of episodes sorted by length, from any window on, and whatever the settings are."""
    prompt, total = window // 2, sum(timesteps)
    dealt = deal_all(
        sorted(timesteps), window=window, prompt=prompt, share=share if prompt else 0.0, pack=pack, shards=shards,
        rows=shards * 2, segments=segments, steps=steps, other=other,
    )  # fmt: skip
    begin = 0
    while begin < skipped * total:
        begin += len(next(dealt))
    count = np.zeros(total, int)
    for number, timesteps_of_window in enumerate(dealt):
        np.add.at(count, timesteps_of_window, 1)
        if count.sum() >= 20 * total and number % 5 == 0:
            # At most one pass more or less at both ends; a window that is longer than a pass holds timesteps twice.
            assert count.max() - count.min() <= (1 if not begin else 2) + (not pack or window < total)
            if not begin:
                assert count.max() <= 1.1 * count.min()
        if count.sum() >= 22 * total:
            break


@pytest.mark.parametrize("rows", [512, 8])
def test_rows_of_tasks_are_their_shares(rows):
    """Exact to a row in every segment, and without a drift over many."""
    shares = np.array(SHARES)
    rows_of_tasks = np.array([quotas(shares, rows, draw) for draw in np.random.default_rng(0).random(4000)])
    assert (rows_of_tasks.sum(axis=1) == rows).all()
    assert (abs(rows_of_tasks - shares * rows) < 1).all()
    deviation = np.sqrt(rows * shares).clip(max=1.0) / 4000**0.5
    assert (abs(rows_of_tasks.mean(axis=0) - shares * rows) < 5 * deviation).all()


def test_turns_spread_a_task_evenly():
    order = turns(np.array([600, 300, 100]), np.random.default_rng(0)).reshape(10, 100)
    counts = np.stack([(order == task).sum(axis=1) for task in range(3)])
    assert counts.sum(axis=1).tolist() == [600, 300, 100]
    assert (abs(counts - [[60], [30], [10]]) <= 2).all()
    assert len({tuple(part) for part in order}) == 10


def test_a_task_without_weight_gets_no_row():
    assert quotas([0.0, 1.0, 0.0, 2.0, 0.0], 6, 0.999).tolist() == [0, 2, 0, 4, 0]
    assert set(turns(np.array([0, 2, 0]), np.random.default_rng(0)).tolist()) == {1}


def test_the_ledger_goes_on_where_weights_change():
    phases = [(0, {"a": 1.0, "b": 1.0}), (3, {"a": 1.0, "b": 0.0})]
    ledger = Ledger(1, "g", 10)
    rows = {0: 8, 3: 4}
    dealt = [ledger.rows(segment, phases, ["a", "b"], rows) for segment in range(5)]
    assert [now.sum() for _, now in dealt] == [80, 80, 80, 40, 40]
    for (before, now), (after, _) in itertools.pairwise(dealt):
        np.testing.assert_array_equal(before + now, after)
    other = Ledger(1, "g", 10).rows(4, phases, ["a", "b"], rows)
    np.testing.assert_array_equal(other, dealt[4])
    # Weights set while running change what follows, and nothing that was dealt.
    changed = ledger.rows(4, [*phases, (4, {"a": 0.0, "b": 1.0})], ["a", "b"], {**rows, 4: 4})
    np.testing.assert_array_equal(changed[0], dealt[4][0])
    assert changed[1].tolist() == [0, 40]
