"""Files of an episode each: how it ended, what only some of them have; and sources without splits."""

import numpy as np
import pytest

from data_pipelines.importing.control import ControlOptions, SourceError, open_source
from data_pipelines.importing.control.conventions import interpret


def test_an_array_that_only_some_files_have_is_told_of(tmp_path):
    for number in range(3):
        arrays = {"observation/a": np.zeros((6, 2)), "action": np.zeros((5, 1))}
        np.savez(tmp_path / f"{number}.npz", **arrays, **({"observation/b": np.ones((6, 2))} if number else {}))
    reader = open_source(tmp_path, "npz", ControlOptions())
    assert reader.notes == ("'observation/b' is in 2 of 3 files and not in the first, so it is left out",)


@pytest.mark.parametrize(
    ("arrays", "terminal"),
    [
        ({}, False),
        ({"terminal": True}, True),
        ({"terminated": np.array(1)}, True),
        ({"done": np.arange(5) == 4}, True),
        ({"done": np.zeros(6)}, False),
    ],
)
def test_how_an_episode_of_its_own_file_ended(tmp_path, arrays, terminal):
    np.savez(tmp_path / "a.npz", observation=np.zeros((6, 2)), action=np.zeros((5, 1)), **arrays)
    reader = open_source(tmp_path, "npz", ControlOptions())
    (raw,) = reader.episodes(0, reader.layout.columns)
    assert interpret(raw, reader.layout).terminal is terminal


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"timeouts": np.zeros(3, bool)}, "'timeouts' has 3 entries, 'action' has 5; expected 5 or 6"),
        ({"terminal": np.array("False")}, "'terminal' must hold booleans, .* found <U5"),
    ],
)
def test_flags_of_an_episode_of_its_own_file(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", observation=np.zeros((6, 2)), action=np.zeros((5, 1)), **arrays)
    reader = open_source(tmp_path, "npz", ControlOptions())
    with pytest.raises(SourceError, match=message):
        list(reader.episodes(0, reader.layout.columns))


def test_there_are_no_splits(tmp_path):
    np.savez(tmp_path / "a.npz", observation=np.zeros((6, 2)), action=np.zeros((5, 1)))
    with pytest.raises(
        SourceError, match=r"a.npz: expected split 'train', because the source has no splits; found 'no"
    ):
        open_source(tmp_path / "a.npz", "npz", ControlOptions(split="nonsense"))
