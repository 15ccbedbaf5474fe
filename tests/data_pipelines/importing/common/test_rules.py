"""Each rule refuses what breaks it, with the file or episode, the key, the expected and the found."""

import numpy as np
import pytest

from data_pipelines.importing.common import rules
from data_pipelines.importing.common.errors import SourceError


def test_splits():
    rules.check_split("a.npz", "train", ())
    rules.check_split("a.hdf5", "valid", ("train", "valid"))
    with pytest.raises(
        SourceError, match=r"a.npz: expected split 'train', because the source has no splits; found 'va'"
    ):
        rules.check_split("a.npz", "va", ())
    with pytest.raises(SourceError, match=r"no split 'vald', found \['test', 'valid'\]; did you mean 'valid'\?"):
        rules.check_split("a.hdf5", "vald", ("valid", "test"))
    with pytest.raises(SourceError, match="no split 'train', found"):
        rules.check_split("a.hdf5", "train", ("valid", "test"))


def test_declared_numbers():
    rules.check_declared("info.json", "frames", None, 3)
    rules.check_declared("info.json", "frames", 3, 3)
    with pytest.raises(SourceError, match=r"info.json declares 40 frames, found 33"):
        rules.check_declared("info.json", "frames", 40, 33)


def test_columns_cover_the_rows():
    rules.check_covers("a", {"flags": 5, "observation": 6}, 5, of="action", more=1)
    with pytest.raises(SourceError, match=r"a: 'terminal' has 3 entries, 'action' has 15; expected 15$"):
        rules.check_covers("a", {"terminal": 3}, 15, of="action")
    with pytest.raises(SourceError, match="'flags' has 7 entries, 'action' has 5; expected 5 or 6"):
        rules.check_covers("a", {"flags": 7}, 5, of="action", more=1)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "uint64", "float16", "float64"])
def test_numbers_that_are_allowed(dtype):
    rules.check_values("e", "key", np.ones((2, 3), dtype))


@pytest.mark.parametrize("values", [np.array(["a", "b"]), np.array([b"a"]), np.array(["a", b"b"], object)])
def test_texts_are_allowed_where_they_may_be(values):
    rules.check_values("e", "key", values, texts=True)
    with pytest.raises(SourceError, match=r"e: 'key' must hold booleans, integers .*, found"):
        rules.check_values("e", "key", values)


def test_files_inside_a_table_that_are_pointers():
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    of_any_length = np.array([b"\x89PNG", pointer], object)
    of_one_length = np.tile(np.frombuffer(pointer, np.uint8), (3, 1))
    for values, step in ((of_any_length, 1), (of_one_length, 0)):
        with pytest.raises(SourceError, match=f"e: 'key', step {step}: Git LFS pointer: run `git lfs pull`"):
            rules.check_values("e", "key", values, texts=True)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.ones(2, "c8"), "complex64"),
        (np.ones(2, "m8[s]"), r"timedelta64\[s\]"),
        (np.ones(2, "M8[s]"), r"datetime64\[s\]"),
        (np.ones(2, np.longdouble), np.dtype(np.longdouble).name),
        (np.zeros(2, "V4"), r"\|V4"),
        (np.zeros(2, [("x", "f4")]), r"\[\('x', '<f4'\)\]"),
        (np.array([[1], [2, 3]], object), "list"),
        (np.array([None, "a"], object), "NoneType"),
    ],
)
def test_other_dtypes_are_refused(values, found):
    with pytest.raises(SourceError, match=f"e: 'key' must hold .* texts and encoded pictures, found {found}"):
        rules.check_values("e", "key", values, texts=True)


def test_other_ranks_are_refused():
    with pytest.raises(SourceError, match=r"'key' is one value \(<U5\), expected one for each step"):
        rules.check_values("e", "key", np.array("hello"), texts=True)
    with pytest.raises(SourceError, match=r"'key' has a width of 0, found shape \[4, 0\]"):
        rules.check_values("e", "key", np.zeros((4, 0)))
    assert rules.one_per_step("e", "reward", np.ones((4, 1))).shape == (4,)
    with pytest.raises(SourceError, match=r"'reward' must hold one number for each step, found shape \[4, 2\]"):
        rules.one_per_step("e", "reward", np.ones((4, 2)))


def test_flags_are_zero_or_one():
    assert rules.as_flags("a", "done", [0.0, 1.0]).tolist() == [False, True]
    for wrong, shown in (([0.0, np.nan], "nan"), ([0, 2], "2")):
        with pytest.raises(SourceError, match=f"a: 'done' must hold flags, 0 or 1 for each step, found {shown}"):
            rules.as_flags("a", "done", wrong)


def test_ends_are_whole_and_cover_the_rows():
    assert rules.as_ends("a", "ends", np.array([3.0, 5.0])).tolist() == [3, 5]
    for wrong in ([3, 3], [0, 2], []):
        with pytest.raises(SourceError, match="a: ends must rise from above 0, found"):
            rules.as_ends("a", "ends", np.array(wrong, int))
    with pytest.raises(SourceError, match=r"'ends' must hold whole numbers, found \[2.5\]"):
        rules.as_ends("a", "ends", [2.5])
    rules.check_ends("a", "ends", np.array([10, 20]), 20, of="action")
    with pytest.raises(SourceError, match="5 rows behind the last end: 'ends' ends at 20, but 'action' has 25 steps"):
        rules.check_ends("a", "ends", np.array([10, 20]), 25, of="action")
    with pytest.raises(SourceError, match=r"episodes end at 20 \(ends\), but 'action' has 15 steps"):
        rules.check_ends("a", "ends", np.array([10, 20]), 15, of="action")


@pytest.mark.parametrize("last", [0, 1])
def test_a_broken_chain_names_its_steps(last):
    observation = np.arange(12.0).reshape(6, 2)
    observation[3] = np.nan  # A value of its own, and equal to itself here.
    following = np.concatenate([observation[1:], np.zeros((1, 2))])
    assert rules.broken_chain(observation, following[: 5 + last]) == []
    following[1] += 1
    assert rules.broken_chain(observation, following[: 5 + last]) == [1]
    assert rules.broken_chain(np.array([b"a", b"b"], object), np.array([b"c", b"d"], object)) == [0]


def test_an_episode_is_of_one_agent():
    assert rules.one_agent("e", "agent", np.array("ppo")) == "ppo"
    assert rules.one_agent("e", "agent", np.array([3, 3, 3])) == "3"
    assert rules.one_agent("e", "agent", np.array([b"sac", b"sac"], object)) == "sac"
    with pytest.raises(SourceError, match="e: agent 'who' changes inside the episode, from 'a' to 'b' at step 2"):
        rules.one_agent("e", "who", np.array(["a", "a", "b"]))
    with pytest.raises(SourceError, match="must hold texts or whole numbers, found float64"):
        rules.one_agent("e", "who", np.array([0.5]))
    with pytest.raises(SourceError, match=r"must hold one value, or one for each step, found \[2, 2\]"):
        rules.one_agent("e", "who", np.zeros((2, 2), int))


def test_what_only_some_files_have():
    assert rules.in_some_only([("a", "b"), ("b", "a")]) == ()
    assert rules.in_some_only([("a",), ("a", "b"), ("a", "b")]) == (
        "'b' is in 2 of 3 files and not in the first, so it is left out",
    )
