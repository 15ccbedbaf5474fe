"""Names in SeqIO's registries: which there are, and what happens to those that are taken."""

import dataclasses
import importlib
import pathlib
import re

import pytest
import seqio
import tensorflow as tf

import data_pipelines
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.registration import register as module
from data_pipelines.schema import RowGroup

pytestmark = pytest.mark.usefixtures("clean_registries")


def names():
    return {*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()}


def test_nothing_registers_by_import():
    before = names()
    importlib.reload(module)
    assert names() == before


def test_a_directory_alone_is_every_task_in_one_group_as_the_guide_shows(recorded_data, capsys):
    """The guide's first example, over other data."""
    guide = pathlib.Path(__file__).parents[3] / "docs" / "for-seqio-users.md"
    code = re.search(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)[1]
    exec(code.replace("gato-quickstart/data", str(recorded_data)), {})
    assert capsys.readouterr().out.count("window 0") == 2
    mixture = seqio.get_mixture_or_task("gato")
    assert mixture is seqio.get_mixture_or_task("gato:all")
    recorded = sorted(path.parent.name for path in recorded_data.glob("*/spec.json"))
    assert [task.name for task in mixture.tasks] == [f"gato.{task}" for task in recorded]
    assert {mixture.get_rate(task) for task in mixture.tasks} == {1.0}
    assert mixture.splits == ("train", "validation")
    lengths = data_pipelines.GatoFeatureConverter("gato").task_feature_lengths
    assert lengths == {"places": 1024, "frames": 5, "task_id": 1}, "five pictures with a question each"


def test_several_groups_are_several_mixtures_and_their_common_name_lists_them(data_config):
    config = data_config(groups=("metaworld", "text"))
    assert data_pipelines.register(config, "several") == ["several:metaworld", "several:text"]
    listed = r"'several' has several row groups.*expected one of \['several:metaworld', 'several:text'\]"
    with pytest.raises(ValueError, match=listed):
        seqio.get_mixture_or_task("several")
    (task,) = seqio.get_mixture_or_task("several:text").tasks
    assert task is seqio.get_mixture_or_task("several.text.python_docs")
    with pytest.raises(ValueError, match="No Task or Mixture found with name 'others'"):
        seqio.get_mixture_or_task("others")


def test_the_same_again_does_nothing_and_anything_else_is_refused(data_config):
    config = data_config(groups=("text",))
    data_pipelines.register(config, "same")
    mixture, before = seqio.get_mixture_or_task("same"), names()
    assert data_pipelines.register(config, "same") == ["same:text"]
    assert seqio.get_mixture_or_task("same") is mixture
    shuffled_less = dataclasses.replace(config, stream=dataclasses.replace(config.stream, shuffle_buffer=32))
    with pytest.raises(ValueError, match=r"'same' stands for other data or settings.*\n.*shuffle_buffer: 64 -> 32"):
        data_pipelines.register(shuffled_less, "same")
    seqio.MixtureRegistry.remove("same")
    with pytest.raises(ValueError, match="'same': some of its names were removed"):
        data_pipelines.register(config, "same")
    assert names() == before - {"same"}


def test_names_of_others_stay_theirs(data_config):
    source = seqio.FunctionDataSource(lambda split, shuffle_files: tf.data.Dataset.range(1), ["train"])
    seqio.MixtureRegistry.add("theirs:text", [(seqio.Task("t", source, {}), 1)])
    before = names()
    with pytest.raises(ValueError, match=r"'theirs': its names are taken.*\['theirs:text'\]"):
        data_pipelines.register(data_config(groups=("text",)), "theirs")
    assert names() == before


@pytest.mark.parametrize("name", ["", "my data", "gato-1"])
def test_names_that_seqio_does_not_allow(data_config, name):
    before = names()
    with pytest.raises(ValueError, match=r"SeqIO allows letters.*found '"):
        data_pipelines.register(data_config(groups=("text",)), name)
    assert names() == before


def test_a_group_whose_name_seqio_does_not_allow(data_config):
    config = data_config(groups=("text",))
    (group,) = config.mixture.groups.values()
    mixture = MixtureConfig(config.mixture.weights, {"my text": dataclasses.replace(group)}, 16)
    with pytest.raises(ValueError, match="found 'one:my text'"):
        data_pipelines.register(dataclasses.replace(config, mixture=mixture), "one")


def test_budgets_are_checked_before_anything_is_added(data_config):
    config, before = data_config(groups=("metaworld",)), names()
    short = {"metaworld": RowGroup(("metaworld.drawer_close",), window_length=20)}
    mixture = dataclasses.replace(config.mixture, groups=short)
    with pytest.raises(ValueError, match="window_length of at least"):
        data_pipelines.register(dataclasses.replace(config, mixture=mixture), "small")
    assert names() == before


def test_public_names_are_loaded_when_they_are_used():
    assert {"GatoFeatureConverter", "register"} <= set(dir(data_pipelines))
    assert data_pipelines.register.__name__ == "register"
    with pytest.raises(AttributeError, match="no attribute 'registre'"):
        _ = data_pipelines.registre
