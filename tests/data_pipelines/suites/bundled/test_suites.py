"""What the tasks say of themselves, and what is said where a source is missing."""

import dataclasses

import pytest

from data_pipelines.suites import bundled, catalog
from data_pipelines.suites.base.suite import Source

TASKS = [task for suite in (bundled.TEXT, bundled.CAPTIONS, bundled.VQA, bundled.DIALOGUE) for task in suite.tasks]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_names_its_source_and_licence(task):
    assert task.origin
    assert task.licence
    assert task.make_examples is not None
    assert (task.source is Source.TEXT) == (task.episodes == 0)
    assert catalog.get(task.name) is task
    assert catalog.install_hint(task) or task.requires in ("pydoc_data", "")


def test_by_default_nothing_else_is_recorded_than_before():
    assert [task.name for task in TASKS if task.default] == ["text.python_docs", "vqa.easy_vqa"]


def test_a_missing_package_is_named_with_what_to_type():
    missing = dataclasses.replace(catalog.get("captions.emoji"), files=("/none/emoji.ttf",))
    assert not missing.installed
    with pytest.raises(
        ValueError, match=r"needs one of the files /none/emoji\.ttf, .* apt-get install fonts-noto-color"
    ):
        catalog.check_recordable(missing)
    missing = dataclasses.replace(catalog.get("dialogue.chatterbot"), requires="no_such_corpus")
    with pytest.raises(ValueError, match=r"needs the module 'no_such_corpus', .*: pip install -e \"\.\[language\]\""):
        catalog.check_recordable(missing)
