"""Formats are found by name, and each of them names a class that can be loaded."""

import importlib
import inspect
import typing

import pytest

from data_pipelines.importing import control, vision_language
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.formats import Format, find_format


@pytest.mark.parametrize(("formats", "reads"), [(control.FORMATS, "episodes"), (vision_language.FORMATS, "items")])
def test_every_reader_is_there(formats, reads):
    for form in formats.values():
        module, name = form.reader.split(":")
        reader = getattr(importlib.import_module(module), name)
        if inspect.isfunction(reader):  # It says which class it opens.
            reader = typing.get_type_hints(reader)["return"]
        assert hasattr(reader, reads), form


def test_a_format_by_its_name(tmp_path):
    formats = {"folder": Format("pathlib:PurePath", "a path and one below it")}
    assert find_format("folder", formats).open(tmp_path, "below") == tmp_path / "below"
    with pytest.raises(ValueError, match=r"no import format 'folds'; nearest: \['folder'\]"):
        find_format("folds", formats)


@pytest.mark.parametrize("name", ["text", "image_folder"])
def test_formats_without_splits_refuse_one(tmp_path, name):
    """Those of control are asked by `open_source`; these are the ones that have no files of a split."""
    with pytest.raises(SourceError, match="expected split 'train', because the source has no splits; found 'nonsense'"):
        vision_language.FORMATS[name].open(tmp_path, vision_language.SourceOptions(split="nonsense"))


def test_a_new_format_of_control_is_one_entry(tmp_path, monkeypatch):
    """With nothing but an entry it is imported from, as npz is."""
    monkeypatch.setitem(control.FORMATS, "mine", Format(control.FORMATS["npz"].reader, "the reader of another one"))
    episodes = control.FORMATS["npz"].reader.partition(":")[0]
    write = importlib.import_module(episodes).write_episodes
    write([{"observation": [[0.0], [1.0]], "action": [[0.5]], "reward": [1.0]}] * 2, tmp_path / "source")
    summary = control.import_data(tmp_path / "source", tmp_path / "data", "toy.task", format="mine", progress=print)
    assert summary.counts == {"train": 2, "validation": 0}
