"""What the presets mean, by what was measured."""

from pathlib import Path

import pytest

from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.plan.forecast import foretell
from data_pipelines.recording.plan.jobs import jobs_of
from data_pipelines.recording.plan.presets import PRESETS, preset
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source
from data_pipelines.suites.costs import costs


def test_local_is_every_quick_expert_and_fits_into_its_minutes():
    local = preset("local")
    worlds = {name for name in (*local.tasks, *local.left_out) if catalog.get(name).source is Source.ENVIRONMENT}
    quick = {name for name, cost in costs().items() if cost.counts and cost.seconds <= 10}
    assert worlds == {name for name in quick if name in catalog.catalog() and not catalog.get(name).held_out}
    assert all(catalog.get(name).installed for name in local.tasks)
    assert {"text.python_docs", "vqa.easy_vqa"} <= set(local.tasks)
    assert min(local.counts.values()) >= 20
    config = RecordingConfig(counts=local.counts, filter=local.filter, validation=0.05)
    assert local.filter == 0.8
    jobs = {name: jobs_of(catalog.get(name), config, Path()) for name in local.tasks}
    assert foretell(jobs, 2).seconds <= 90 * 60


def test_the_numbers_do_not_depend_on_what_is_installed(monkeypatch):
    whole = preset("local")
    gone = next(name for name in whole.tasks if name.startswith("minigrid."))
    monkeypatch.setitem(catalog.catalog(), gone, catalog.get(gone).__class__(
        **{**vars(catalog.get(gone)), "requires": "no_such_module"}
    ))  # fmt: skip
    less = preset("local")
    assert gone in less.left_out
    assert less.counts == {name: count for name, count in whole.counts.items() if name != gone}


def test_what_is_left_of_the_experts_is_local_long():
    tasks = catalog.catalog()
    slow = {name for name, cost in costs().items() if cost.counts and cost.seconds > 10 and not tasks[name].held_out}
    if slow:
        meant = preset("local_long")
        assert {*meant.tasks, *meant.left_out} == slow
    else:
        with pytest.raises(ValueError, match="nothing of this preset can be recorded here, of 0 tasks"):
            preset("local_long")


def test_presets_by_suite():
    assert preset("default").tasks == ("default",)
    assert "atari.breakout" in preset("atari").tasks
    assert {"atari.breakout", "sokoban.boxoban"} <= set(preset("pixels").tasks)
    assert all(catalog.get(name).demonstrated for name in preset("pixels").tasks)


@pytest.mark.parametrize(("word", "near"), [("locl", "did you mean local?"), ("zzz", "(presets: default, local")])
def test_an_unknown_preset_names_the_nearest(word, near):
    with pytest.raises(ValueError, match=f"unknown preset '{word}'") as error:
        preset(word)
    assert near in str(error.value)
    assert set(PRESETS) == {"default", "local", "local_long", "atari", "pixels"}
