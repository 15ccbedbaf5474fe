"""Windows as sequences of episodes: full, in order, with prompts from others of the same agent."""

import numpy as np
import pytest

from data_pipelines.sequences import cuts
from data_pipelines.sequences.ring import Ring

TIMESTEPS = np.array([7, 1, 30, 12, 12, 3, 0, 25])


def cut(ring, count, *, agent=None, end_share=0.5, first=0):
    agent = np.zeros(len(TIMESTEPS), int) if agent is None else np.asarray(agent)
    windows = ring.cut(first, count)
    random = np.random.default_rng(3)
    return windows, *cuts.cut(ring, windows, timesteps=TIMESTEPS, agent=agent, end_share=end_share, random=random)


def of_windows(sequences, window):
    """Number of the window of each sequence."""
    ends = np.cumsum(sequences.own + sequences.prompt + sequences.padding)
    assert set(np.arange(1, ends[-1] // window + 1) * window) <= set(ends.tolist()), "windows end with sequences"
    return np.searchsorted(np.arange(1, ends[-1] // window + 1) * window, ends)


def test_what_is_read_is_what_the_ring_holds():
    ring = Ring.build(TIMESTEPS, window=5, key=(1,))
    windows, visits, sequences = cut(ring, 3 * ring.windows)
    read = [
        (record, begin + step)
        for record, begin, end in zip(visits.record, visits.begin, visits.end, strict=True)
        for step in range(end - begin)
    ]
    parts = ring.parts
    expected = [
        (record, begin + step)
        for record, begin, length in zip(parts.record, parts.begin, parts.length, strict=True)
        for step in range(length)
    ] * 4
    assert read == expected[: len(read)]
    assert len(read) == windows.own.sum()
    assert sequences.own.sum() == len(read)
    assert visits.count.sum() == len(sequences.own)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_prompts_are_as_long_as_planned_and_never_longer_than_what_they_introduce(share):
    ring = Ring.build(TIMESTEPS, window=8, prompt=4, share=share, key=(1,))
    windows, _, sequences = cut(ring, 640)
    of = of_windows(sequences, 8)
    assert (sequences.prompt <= sequences.own).all()
    prompts = np.bincount(of, sequences.prompt)
    assert (prompts <= windows.prompt).all()
    # Episodes of one and of three timesteps are too short for some prompts: padding stands there instead.
    assert (prompts == windows.prompt).mean() > 0.6
    np.testing.assert_array_equal(np.bincount(of, sequences.own), windows.own)


@pytest.mark.parametrize("end_share", [0.0, 1.0, 0.5])
def test_prompts_come_from_others_of_the_same_agent(end_share):
    agent = [0, 1, 0, 1, 0, 1, 0, 2]
    ring = Ring.build(TIMESTEPS, window=8, prompt=4, share=1.0, key=(1,))
    _, visits, sequences = cut(ring, 400, agent=agent, end_share=end_share)
    other, pairs, ends = None, set(), []
    for record, begin, end, first, count in zip(
        visits.record, visits.begin, visits.end, visits.first, visits.count, strict=True
    ):
        if not count:
            assert (begin, end) == (0, TIMESTEPS[record])
            other = record
        for index in range(first, first + count):
            if sequences.prompt[index]:
                pairs.add((int(record), int(other)))
                prompt_end = sequences.prompt_begin[index] + sequences.prompt[index]
                assert sequences.prompt_begin[index] >= 0
                assert prompt_end <= TIMESTEPS[other]
                if TIMESTEPS[other] > 12:
                    ends.append(prompt_end == TIMESTEPS[other])
    assert all(agent[a] == agent[b] and a != b for a, b in pairs)
    assert {a for a, _ in pairs} == {0, 1, 2, 3, 4, 5}, "the only episode of agent 2 has no prompt"
    assert {b for a, b in pairs if a == 0} == {2, 4}
    assert abs(np.mean(ends) - end_share) < 0.15


def test_windows_of_one_episode_each():
    ring = Ring.build(TIMESTEPS, window=8, prompt=4, share=0.5, pack=False, key=(1,))
    windows, visits, sequences = cut(ring, ring.windows)
    assert len(sequences.own) == ring.windows == sum(-(-TIMESTEPS // 4))
    assert sequences.own.sum() == TIMESTEPS.sum()
    assert sequences.own.max() <= 4
    np.testing.assert_array_equal(sequences.own + sequences.prompt + sequences.padding, 8)
    assert (visits.end - visits.begin)[visits.count > 0].sum() == TIMESTEPS.sum()
    assert (windows.prompt > 0).any()
