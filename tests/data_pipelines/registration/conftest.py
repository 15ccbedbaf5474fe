"""One registration that most tests share, and SeqIO's registries as they were before."""

import dataclasses

import pytest
import seqio

import data_pipelines
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup

TASKS = ("metaworld.drawer_close", "text.python_docs")
SHARDS = 2


@pytest.fixture(scope="module")
def clean_registries():
    """What a module registers is gone after it."""
    registries = (seqio.TaskRegistry, seqio.MixtureRegistry)
    before = [set(registry.names()) for registry in registries]
    cache_directories = list(seqio.get_global_cache_dirs())
    yield
    for registry, names in zip(registries, before, strict=True):
        for name in set(registry.names()) - names:
            registry.remove(name)
    seqio.set_global_cache_dirs(cache_directories)


@pytest.fixture(scope="module")
def one_group(data_config):
    """Two windows of states, or 90 pieces of text twice, in a row; a stream of two virtual shards."""
    config = data_config(groups=("text",), virtual_shards=SHARDS)
    group = RowGroup(TASKS, windows=2, window_length=90)
    return dataclasses.replace(config, mixture=MixtureConfig({TASKS[0]: 3.0, TASKS[1]: 1.0}, {"all": group}, 16))


@pytest.fixture(scope="module")
def registered(one_group, clean_registries):
    """`one_group` as "gato"."""
    assert data_pipelines.register(one_group) == ["gato:all"]
    return one_group
