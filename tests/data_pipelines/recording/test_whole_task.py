"""A task whose parts are there moves to its place, also where another recording of it stands."""

import json

import pytest

from data_pipelines.atomic_files import write_sorted_json
from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.plan.jobs import jobs_of
from data_pipelines.recording.whole_task import finish, finished_otherwise, finished_part
from data_pipelines.storage.data_directory import PARTIAL
from data_pipelines.suites import catalog

TASK = catalog.get("text.python_docs")


@pytest.fixture
def recorded(tmp_path):
    """Records the task with a seed, as far as its one part."""

    def record(seed):
        config = RecordingConfig(seed=seed)
        (job,) = jobs = jobs_of(TASK, config, tmp_path / PARTIAL)
        part = {"kept": 3, "rejected": {}, "steps": 0, "seconds": 1.0, "counts": {"train": 3}}
        write_sorted_json(
            tmp_path / PARTIAL / TASK.name / "chunk-00" / "chunk.json", part | {"fingerprint": job.fingerprint}
        )
        return jobs, config.task_settings(TASK)

    return record


def test_it_takes_the_place_of_one_with_other_settings(recorded, tmp_path):
    for seed in (0, 1):
        jobs, settings = recorded(seed)
        finish(tmp_path, TASK, jobs, settings, lambda task, news: None)
        assert json.loads((tmp_path / TASK.name / "recording.json").read_text())["settings"]["seed"] == seed
    assert list((tmp_path / PARTIAL).iterdir()) == [], "what stood there is gone"


def test_a_part_counts_only_with_its_own_settings(recorded, tmp_path):
    (job,), _ = recorded(0)
    assert finished_part(job)["kept"] == 3
    assert not finished_otherwise(job)
    (other,) = jobs_of(TASK, RecordingConfig(seed=1), tmp_path / PARTIAL)
    assert finished_part(other) is None
    assert finished_otherwise(other)
