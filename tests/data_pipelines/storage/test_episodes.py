"""Episodes read without TensorFlow are those that the stream reads with it."""

import numpy as np
import pytest

from data_pipelines.spec import Kind, lookup
from data_pipelines.storage.episodes import read_episode
from data_pipelines.storage.recorded_tasks import DataError, read_task
from data_pipelines.storage.records import read_record


@pytest.mark.parametrize("name", ["babyai.go_to_obj", "metaworld.drawer_close"])
def test_both_ways_of_reading_agree(recorded_data, name):
    from data_pipelines.seqio_tasks.sources import RldsDataSource

    task = read_task(recorded_data, name)
    dataset = RldsDataSource(task).get_dataset("train", shuffle=False).take(2)
    for number, example in enumerate(dataset.as_numpy_iterator()):
        episode = read_episode(task, "train", number)
        np.testing.assert_array_equal(episode["action"], example["steps"]["action"][:-1])
        assert episode["action"].dtype == task.spec.action.dtype
        for item in task.spec.observation:
            expected = lookup(example["steps"]["observation"], item.path)[:-1]
            if item.kind is Kind.TEXT:
                expected = np.array([text.decode() for text in expected])
            np.testing.assert_array_equal(episode[item.key], expected)
            assert len(episode[item.key]) > 1
        end = read_episode(task, "train", number, part=slice(-2, None))
        np.testing.assert_array_equal(end["action"], episode["action"][-2:])


def test_a_record_that_is_cut_is_an_error(recorded_data, monkeypatch):
    task = read_task(recorded_data, "babyai.go_to_obj")
    record = read_record(task, "train", 0)
    monkeypatch.setattr("data_pipelines.storage.episodes.read_record", lambda *_: record[: len(record) // 2])
    with pytest.raises(DataError, match=r"record 0 of split 'train' is no tf\.train\.Example"):
        read_episode(task, "train", 0)
    with pytest.raises(DataError, match="expected a control task, found text"):
        read_episode(read_task(recorded_data, "text.python_docs"), "train", 0)
