"""What a data directory holds, counted beside what the stream's own pipelines read from it."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from data_pipelines.reports import data_summary
from data_pipelines.reports.data_summary import summarise
from data_pipelines.reports.token_totals import count_tokens
from data_pipelines.seqio_tasks.sources import RldsDataSource
from data_pipelines.storage.recorded_tasks import DataError, read_task

LEVEL, TEXT = "babyai.go_to_obj", "text.python_docs"


@pytest.fixture(scope="module")
def config(data_config):
    """One task of each kind whose tokens are counted in a way of its own; a trace takes seconds."""
    config = data_config(groups=("babyai", "vqa"))
    groups = {**config.mixture.groups, "babyai": dataclasses.replace(config.mixture.groups["babyai"], tasks=(LEVEL,))}
    weights = {LEVEL: 1.0, "vqa.easy_vqa": 1.0}
    return dataclasses.replace(config, mixture=dataclasses.replace(config.mixture, weights=weights, groups=groups))


@pytest.fixture(scope="module")
def summary(config):
    return summarise(config.directory, tokens=config.tokens, experiment="these tests")


@pytest.fixture
def copied(recorded_data, tmp_path):
    """A data directory with two tasks of its own."""
    for name in (LEVEL, TEXT):
        shutil.copytree(recorded_data / name, tmp_path / "data" / name)
    for name in ("format.json", "scores.json", "tokenizer.model"):
        shutil.copy(recorded_data / name, tmp_path / "data")
    return tmp_path / "data"


def test_tokens_are_those_of_the_pipelines(summary, config):
    counted = {task: count.tokens for task, count in count_tokens(config).items()}
    assert {task.task: task.tokens for task in summary.tasks if task.task in counted} == counted
    assert len(counted) == 2
    assert all(task.exact for task in summary.tasks)


def test_steps_and_returns_are_those_of_the_episodes(summary, config):
    task = next(task for task in summary.tasks if task.task == LEVEL)
    steps = [
        episode["steps"] for episode in RldsDataSource(read_task(config.directory, LEVEL)).get_dataset(shuffle=False)
    ]
    np.testing.assert_allclose(task.returns, [float(sum(one["reward"].numpy())) for one in steps], rtol=1e-6)
    assert task.lengths.tolist() == [len(one["reward"]) - 1 for one in steps]
    assert (task.episodes, task.held_out, task.expert) == (12, 0, "BabyAI bot")
    assert task.score.expert > task.score.random


def test_a_table_and_json(summary):
    lines = summary.table().splitlines()
    assert lines[0].endswith("5 tasks; tokens as these tests makes them")
    assert lines[1].split()[:3] == ["task", "kind", "train"]
    assert [line.split()[0] for line in lines[2:]] == [*(task.task for task in summary.tasks), "all"]
    described = json.loads(json.dumps(summary.to_dict()))
    assert described["sums"]["steps"] == sum(task["steps"] for task in described["tasks"]) > 0
    assert described["tasks"][0]["returns"]["highest"] <= 1
    assert described["tasks"][3]["returns"] is None


def test_long_texts_are_sampled_and_that_is_said(copied, config, monkeypatch, summary):
    monkeypatch.setattr(data_summary, "CHARACTERS", 40_000)
    sampled = summarise(copied, [TEXT], tokens=config.tokens)
    (task,) = sampled.tasks
    whole = next(each for each in summary.tasks if each.task == TEXT).tokens
    assert not task.exact
    assert 0 < task.tokens != whole
    assert f"~{task.tokens:,.0f}" in sampled.table()
    assert "estimated" in sampled.table()


def test_one_task_and_globs(copied, config):
    assert [task.task for task in summarise(copied / LEVEL, tokens=config.tokens).tasks] == [LEVEL]
    assert [task.task for task in summarise(copied, ["text.*"], tokens=config.tokens).tasks] == [TEXT]


def test_what_is_no_data_directory(tmp_path, copied):
    with pytest.raises(DataError, match=r"no directory .*none'; record one"):
        summarise(tmp_path / "none")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(DataError, match=r"expected a data directory .* found cat\.png"):
        summarise(tmp_path / "photos")
    with pytest.raises(DataError, match=r"found the file"):
        summarise(tmp_path / "photos" / "cat.png")
    with pytest.raises(DataError, match=r"'babyai\.go_to_ob' is not recorded .*\['babyai\.go_to_obj'"):
        summarise(copied, ["babyai.go_to_ob"])
    for name in (LEVEL, TEXT):
        (copied / name / "recording.json").unlink()
    with pytest.raises(DataError, match=r"expected at least one whole task \(with recording.json\), found none"):
        summarise(copied)


def test_a_damaged_shard_is_named_and_the_rest_summarised(copied, config):
    shard = next((copied / LEVEL).rglob("*.tfrecord-*"))
    shard.write_bytes(shard.read_bytes()[:-20])
    found = summarise(copied, tokens=config.tokens)
    assert [task.task for task in found.tasks] == [TEXT]
    assert f"{LEVEL}: {shard}: truncated inside record" in found.table()


def test_counts_that_differ_from_the_record_are_said(copied, config):
    path = copied / LEVEL / "recording.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"kept": 13}))
    found = summarise(copied, tokens=config.tokens)
    assert len(found.tasks) == 2
    assert found.problems == {LEVEL: ("recording.json declares 13 episodes, the files hold 12",)}


def test_what_is_not_whole_is_said(copied, config):
    for name in (".partial/metaworld.reach", ".importing/text.notes"):
        (copied / name).mkdir(parents=True)
    found = summarise(copied, tokens=config.tokens)
    assert found.unfinished == ("metaworld.reach", "text.notes")
    assert "not whole yet, so left out: metaworld.reach, text.notes" in found.table()
