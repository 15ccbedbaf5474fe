"""What lies in a data directory decides what is left: reused, refused, or recorded again."""

import dataclasses
import json
import shutil

import pytest

from data_pipelines.atomic_files import write_sorted_json
from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.plan.jobs import jobs_of
from data_pipelines.recording.plan.work_list import work_list
from data_pipelines.storage.data_directory import PARTIAL, RecordingError
from data_pipelines.suites import catalog

NAMES = ("babyai.go_to_obj", "minigrid.empty_5x5", "text.python_docs")
TASKS = [catalog.get(name) for name in NAMES]
CONFIG = RecordingConfig(episodes=6, validation=0.05)


@pytest.fixture
def data(tmp_path):
    """Two of three tasks, as `record` describes them."""
    for name in NAMES[:2]:
        settings = json.loads(json.dumps(CONFIG.task_settings(catalog.get(name))))
        write_sorted_json(tmp_path / name / "recording.json", {"settings": settings, "versions": {"minigrid": "1.0"}})
    return tmp_path


def look(data, config=CONFIG, **options):
    return work_list(TASKS, data, config, **({"workers": 2, "any_number": False, "again": False} | options))


def test_what_is_there_is_reused_and_other_versions_are_named(data):
    work = look(data)
    assert set(work.reused) == set(NAMES[:2])
    assert work.reused[NAMES[0]].startswith(
        "reused: recorded before with the same settings, by minigrid 1.0 (3.2.0 is here)"
    )
    assert set(work.forecast.tasks) == {NAMES[2]}
    assert [key[0] for key in work.fresh] == [NAMES[2]]


def test_other_settings_are_refused_all_at_once(data):
    with pytest.raises(RecordingError, match=r"2 tasks in .* with other settings, and 0 with the same") as error:
        look(data, dataclasses.replace(CONFIG, seed=3))
    assert all(f"\n  {name}: seed: 0 there, 3 asked for" in str(error.value) for name in NAMES[:2])


def test_again_records_them_in_their_place(data):
    work = look(data, dataclasses.replace(CONFIG, seed=3), again=True)
    assert set(work.remade) == set(NAMES[:2])
    assert set(work.jobs) == set(NAMES)


def test_where_numbers_were_not_asked_for_any_number_is_reused(data):
    fewer = dataclasses.replace(CONFIG, share=0.5)
    with pytest.raises(RecordingError, match="episodes: 6 there, 3 asked for"):
        look(data, fewer)
    work = look(data, fewer, any_number=True)
    assert "with other numbers (chunk: 3 there, 2 asked for, episodes: 6 there, 3 asked for)" in work.reused[NAMES[0]]
    with pytest.raises(RecordingError, match="seed: 0 there, 3 asked for"):
        look(data, dataclasses.replace(fewer, seed=3), any_number=True)
    with pytest.raises(RecordingError, match="validation: 1 there, None asked for"):
        look(data, dataclasses.replace(fewer, validation=0.0), any_number=True)


def test_finished_parts_stay_and_those_of_other_settings_are_named(data):
    task = TASKS[0]
    shutil.rmtree(data / task.name)
    one, *others = jobs_of(task, CONFIG, data / PARTIAL)
    (old, *_) = jobs_of(task, dataclasses.replace(CONFIG, seed=3), data / PARTIAL)
    write_sorted_json(data / PARTIAL / task.name / "chunk-00" / "chunk.json", {"fingerprint": one.fingerprint})
    write_sorted_json(data / PARTIAL / task.name / "chunk-01" / "chunk.json", {"fingerprint": old.fingerprint})
    work = look(data)
    assert [job.chunk for job, _ in work.finished] == [0]
    assert work.remade[task.name] == "1 of its parts were recorded with other settings: they are recorded again"
    assert len([key for key in work.fresh if key[0] == task.name]) == len(others)
