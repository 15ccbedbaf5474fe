"""The bookkeeping of windows, against lists that are simply cut: what is read ahead is what stays, and in time."""

import numpy as np
import pytest

from gato_jax.agent.episodes import Episodes


class Row:
    """One environment: what its slots, its first and its second memory hold."""

    def __init__(self, window):
        self.slots, self.memory, self.ahead, self.truth, self.prompt = [None] * window, [], [], [], 0

    def start(self, prompt):
        self.memory, self.truth, self.prompt = list(prompt), list(prompt), len(prompt)
        self.slots[: len(prompt)] = prompt

    def see(self, timestep, window, drop):
        if len(self.truth) == window:
            kept = min(drop, window - self.prompt)
            del self.truth[self.prompt : self.prompt + kept]
        self.truth.append(timestep)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_read_ahead_is_what_stays(seed):
    rng = np.random.default_rng(seed)
    window = int(rng.integers(2, 24))
    drop, longest = int(rng.integers(1, window + 1)), int(rng.integers(0, window // 2 + 1))
    episodes, rows = Episodes(3, window, drop=drop, longest_prompt=longest), [Row(window) for _ in range(3)]
    moves, most_pieces = 0, 0
    for step in range(6 * window):
        for index, row in enumerate(rows):
            if step == 0 or rng.random() < 0.02:
                prompt = [f"{step} {index} prompt {i}" for i in range(int(rng.integers(0, longest + 1)))]
                row.start(prompt)
                episodes.start([index], [step], [len(prompt)])
        pieces = 0
        while True:
            slots = episodes.next_piece()
            if slots is not None:
                pieces += 1
                starts = episodes.start_of_piece()
                assert ((starts >= 0) & (starts + episodes.piece <= window - 1)).all()
                for row, start, chosen in zip(rows, starts, slots, strict=True):
                    row.ahead = row.ahead[:start] + [row.slots[slot] for slot in chosen]
                episodes.read_piece()
            full = episodes.full()
            if not len(full) or episodes.is_ready(full):
                break
        most_pieces = max(most_pieces, pieces)
        for index in full:
            kept = window - min(drop, window - rows[index].prompt)
            rows[index].memory = rows[index].ahead[:kept]
            moves += 1
        episodes.take_over(full)
        slot, last = episodes.slots_in_use()
        for index, row in enumerate(rows):
            assert not row.memory or row.slots[last[index]] == row.memory[-1]
            timestep = f"{step} {index}"
            row.see(timestep, window, drop)
            row.memory.append(timestep)
            row.slots[slot[index]] = timestep
            assert row.memory == row.truth
        episodes.advance()
        assert episodes.length.tolist() == [len(row.truth) for row in rows]
    assert moves
    assert most_pieces <= 1, "no step reads more than one piece"
