"""Flat arrays say where their episodes end in many ways; what is said covers the steps exactly, or is refused."""

import numpy as np
import pytest

from data_pipelines.importing.control import ControlOptions, SourceError, open_source
from data_pipelines.importing.control.conventions import chosen_layout, interpret

STEPS = 30
ENDS = np.zeros(STEPS, bool)
ENDS[[9, 19, 29]] = True
STARTS = np.roll(ENDS, 1)
NUMBERS = np.repeat([0, 1, 2], 10)
NONE = {"truncated": ""}


@pytest.fixture
def read(tmp_path):
    """(columns options, arrays) to the episodes of an npz file."""

    def opened(columns=(), /, **arrays):
        rows = {
            "observation": np.arange(STEPS, dtype=np.float32)[:, None],
            "action": np.arange(STEPS, dtype=np.float32),
            "reward": np.ones(STEPS),
        }
        np.savez(tmp_path / "a.npz", **(rows | arrays))
        options = ControlOptions(columns=dict(columns))
        reader = open_source(tmp_path / "a.npz", "npz", options)
        layout = chosen_layout(reader.layout, reader.columns, options)
        episodes = [interpret(raw, layout) for raw in reader.episodes(0, layout.columns)]
        assert len(episodes) == len(reader)
        return episodes

    return opened


@pytest.mark.parametrize(
    ("columns", "arrays"),
    [
        ({}, {"episode_ends": [10, 20, 30]}),
        ({}, {"episode_ends": np.array([10, 20, 30], np.uint8)}),
        ({}, {"episode_starts": STARTS}),
        ({}, {"episode_starts": STARTS.astype(np.float32)}),
        ({}, {"episode_starts": [0, 10, 20]}),
        ({}, {"episode_lengths": [10, 10, 10]}),
        ({}, {"episode_id": NUMBERS}),
        ({}, {"episode_id": NUMBERS.astype(str)}),
        ({}, {"terminals": ENDS, "timeouts": ENDS & False}),
        (NONE, {"dones": ENDS.astype(np.int64)[:, None]}),
        ({"ends": "last"}, {"last": ENDS}),
        (
            {},
            {"episode_ends": [10, 20, 30], "terminals": ENDS, "timeouts": ENDS & False, "episode_id": ["a", "b", "c"]},
        ),
    ],
)
def test_ways_to_say_where_episodes_end(read, columns, arrays):
    episodes = read(columns, **arrays)
    assert [episode.action.tolist() for episode in episodes] == [[*range(k, k + 10)] for k in (0, 10, 20)]


@pytest.mark.parametrize(
    ("columns", "arrays", "message"),
    [
        ({}, {"terminal": np.ones(3, bool)}, "'terminal' has 3 entries, 'action' has 30; expected 30"),
        (NONE, {"terminal": np.ones(3, bool)}, "'terminal' has 3 entries, 'action' has 30; expected 30"),
        ({}, {"episode_ends": [10, 20]}, "10 rows behind the last end: 'episode_ends' ends at 20, but 'action' has 30"),
        ({}, {"episode_ends": [10, 40]}, r"episodes end at 40 \(episode_ends\), but 'action' has 30 steps"),
        ({}, {"episode_ends": [10, 20.5, 30]}, "'episode_ends' must hold whole numbers"),
        ({}, {"episode_lengths": [10, 10, 9]}, "1 rows behind the last end: 'episode_lengths' ends at 29"),
        ({}, {"episode_starts": [5, 20]}, r"the first of 'episode_starts' must be 0, found \[5, 20\]"),
        ({}, {"episode_id": np.tile([0, 1], 15)}, "rows of episode_id '0' do not lie together"),
        ({}, {"episode_ends": [10, 20, 30], "episode_lengths": [10, 20]}, "ends has 3 .* episode_lengths has 2"),
        ({}, {"terminals": np.where(ENDS, np.nan, 0), "timeouts": ENDS}, "'terminals' must hold flags, .* found nan"),
        ({}, {"episode_ends": [30], "reward": np.ones(29)}, "'reward' has 29 entries, .* expected 30 or 31"),
        ({}, {"episode_ends": [15, 30], "observation": np.ones((31, 1))}, "'observation' has 31 .* expected 30 or 32"),
        ({}, {"observation": np.array("hello")}, r"'observation' is one value \(<U5\)"),
        ({}, {"action": np.array(1.0), "episode_ends": [1]}, "'action' is one value, expected one for each step"),
        ({}, {"episode_length": [29]}, "a.npz: 'episode_length' declares 29 steps, found 30"),
    ],
)  # fmt: skip
def test_what_does_not_cover_the_steps_is_refused(read, columns, arrays, message):
    with pytest.raises(SourceError, match=message):
        read(columns, **arrays)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("masks", ~ENDS), ("dones_float", ENDS.astype(np.float32)), ("resets", STARTS), ("is_last", ENDS),
        ("start_locations", [0, 10, 20]), ("traj_len", [10, 10, 10]), ("demo", NUMBERS),
        ("rollout_name", NUMBERS.astype(str)), ("game_over", ENDS), ("discount", np.where(ENDS, 0, 0.99)),
        ("new", STARTS), ("ep_idx", NUMBERS), ("seed", 7 - NUMBERS), ("offsets", [0, 10, 20]),
        # These tell by their values, whatever they are called.
        ("sizes", [12, 8, 10]), ("cum", [10, 20, 30]), ("ranges", [[0, 9], [10, 19], [20, 29]]),
        ("t", np.tile(np.arange(10), 3)), ("time", np.tile(np.arange(10) / 50, 3)),
    ],
)  # fmt: skip
def test_arrays_that_may_say_where_episodes_end_are_not_passed_over(read, name, values):
    with pytest.raises(SourceError, match=f"one episode of 30 steps, but '{name}' with .* may: name what it is"):
        read(**{name: values})
    assert len(read({"ends": ""}, **{name: values})) == 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("steps_since_start", np.arange(STEPS)),
        ("length_of_arm", np.full(STEPS, 0.3)),
        ("last_action", np.ones((STEPS, 2))),
        ("gripper", ENDS),  # A flag, of no such name.
        ("renewed", ENDS),
        ("temperature", np.sin(np.arange(STEPS))),
        ("goal", [3, 5, 1]),
    ],
)
def test_other_arrays_are(read, name, values):
    assert len(read(**{name: values})) == 1


def test_a_count_that_begins_anew_can_be_named(read):
    episodes = read({"starts": "t"}, t=np.concatenate([np.arange(size) * 0.02 for size in (12, 8, 10)]))
    assert [len(episode.action) for episode in episodes] == [12, 8, 10]


def test_one_observation_more_in_each_episode(read):
    """The N + 1 observations of an episode stay with its N actions."""
    observation = np.concatenate([10 * k + np.arange(11) for k in range(3)])
    episodes = read(observation=observation, episode_ends=[10, 20, 30])
    for number, episode in enumerate(episodes):
        assert episode.observation["observation"].tolist() == (10 * number + np.arange(11)).tolist()
        assert episode.action.tolist() == [*range(10 * number, 10 * number + 10)]
        assert not episode.repeated
