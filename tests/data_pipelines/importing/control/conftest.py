"""What the tests of control imports share: the same episodes in every layout on disk, and streams over them."""

import functools
import importlib.util
import pathlib

import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.stream.stream import Stream
from data_pipelines.tokenizers.layout import TokenConfig


@pytest.fixture(scope="session")
def layouts():
    """`layouts_on_disk`: test directories are no packages, so it is loaded by its path."""
    path = pathlib.Path(__file__).with_name("layouts_on_disk.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def world(layouts):
    """Episodes with every kind of observation; continuous actions."""
    return layouts.make_episodes(9)


@pytest.fixture(scope="session")
def recorded(layouts, world, tmp_path_factory):
    """The same episodes, recorded directly."""
    data = tmp_path_factory.mktemp("recorded")
    layouts.record(world, data)
    return data


@pytest.fixture(scope="session")
def batches():
    """(data directory, task) to the first batches of its stream."""

    @functools.cache
    def read(data, task, count=3, *, window_length=64, patches=24):
        tokens = TokenConfig(text_model="package:mistral_common/data/tokenizer.model.v1", text_tokens=6)
        group = RowGroup((task,), window_length=window_length, patches=patches)
        stream = StreamConfig(virtual_shards=2, reseed_every=50, shuffle_buffer=8, prompt_timesteps=1)
        config = DataConfig(str(data), tokens, MixtureConfig({task: 1.0}, {"all": group}, 4), stream)
        opened = Stream(config)
        try:
            return [next(opened)["all"] for _ in range(count)]
        finally:
            opened.close()

    return read
