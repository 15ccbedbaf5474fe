"""Rows of parquet files are episodes only as their columns say, in one file or in several."""

import pyarrow
import pyarrow.parquet
import pytest

from data_pipelines.importing.control import ControlOptions, SourceError, open_source


@pytest.fixture
def opened(tmp_path):
    """Columns of each file to an opened source."""

    def write(*files, **options):
        for number, columns in enumerate(files):
            rows = len(next(iter(columns.values())))
            given = {"observation": [float(row) for row in range(rows)], "action": [0.5] * rows, **columns}
            pyarrow.parquet.write_table(pyarrow.table(given), tmp_path / f"{number}.parquet")
        return open_source(tmp_path, "parquet", ControlOptions(**options))

    return write


def test_an_episode_goes_on_in_the_next_file_only_where_its_steps_say_so(opened):
    reader = opened({"episode_index": [0, 0], "frame_index": [0, 1]}, {"episode_index": [0, 1], "frame_index": [2, 0]})
    assert [len(raw.columns["action"]) for raw in reader.episodes(0, frozenset({"action"}))] == [3, 1]
    assert len(opened({"episode_index": [0, 0]}, {"episode_index": [1, 1]})) == 2


@pytest.mark.parametrize("counted", [{}, {"frame_index": [0, 1]}])
def test_a_file_for_each_episode_each_numbered_0(opened, counted):
    with pytest.raises(SourceError, match=r"episode_index '0' is in 0\.parquet and in 1\.parquet, and nothing says"):
        opened(*[{"episode_index": [0, 0], **counted}] * 3)


def test_steps_that_are_missing_or_out_of_order(opened):
    with pytest.raises(SourceError, match=r"frame_index has a hole, .*: 4 is followed by 12 in episode 'b'"):
        opened({"episode_index": ["a", "a", "b", "b", "b"], "frame_index": [0, 1, 3, 4, 12]})
    with pytest.raises(
        SourceError, match=r"frame_index does not rise inside an episode; .*: 1 is followed by 0 in episode"
    ):
        opened({"episode_index": [0, 0], "frame_index": [1, 0]})
    strided = {"episode_index": [0, 0, 0, 1, 1], "frame_index": [0, 4, 8, 0, 4]}
    assert len(opened(strided)) == 2
    hole = {"episode_index": [0, 0, 0], "frame_index": [0, 1, 5]}
    assert len(opened(hole, columns={"order": ""})) == 1


def test_flags_and_numbers_of_episodes_say_the_same(opened):
    columns = {"episode_index": [0, 0, 1, 1], "terminated": [False, False, False, True]}
    assert len(opened({**columns, "truncated": [False, True, False, False]})) == 2
    with pytest.raises(SourceError, match=r"episode_index has 2 episodes .* terminated and truncated has 3"):
        opened({**columns, "truncated": [True, True, False, False]})


def test_the_agent_of_rows_that_are_episodes(opened):
    columns = {"observation": [[0.0, 1.0], [2.0]], "action": [[[0.5], [0.5]], [[0.5]]], "who": ["ppo", "sac"]}
    episodes = list(opened(columns, agent="who").episodes(0, frozenset({"who", "action"})))
    assert [raw.columns["who"].tolist() for raw in episodes] == [["ppo"], ["sac"]]
    assert [raw.columns["action"].shape for raw in episodes] == [(2, 1), (1, 1)]


def test_types_that_are_no_numbers(opened):
    values = pyarrow.array([1, 2]).dictionary_encode()
    reader = opened({"episode_index": [0, 0], "observation": values})
    assert next(reader.episodes(0, frozenset({"observation"}))).columns["observation"].tolist() == [1, 2]


def test_a_column_that_only_some_files_have(opened):
    reader = opened({"episode_index": [0]}, {"episode_index": [1], "extra": [1.0]})
    assert reader.notes == ("'extra' is in 1 of 2 files and not in the first, so it is left out",)
