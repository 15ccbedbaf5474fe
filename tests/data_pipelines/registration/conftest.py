"""One registration that most tests share, and SeqIO's registries as they were before."""

import json
import shutil

import numpy as np
import pytest
import seqio
import tensorflow_datasets as tfds

import data_pipelines
from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.recording.writers import write_examples
from data_pipelines.schema import RowGroup
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.bundled.documents import python_documents
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from tests.data_pipelines.recordings import write

STATES = TaskSpec(
    "control.states", (ItemSpec("x", Kind.CONTINUOUS, (39,)),), ItemSpec("action", Kind.CONTINUOUS, (4,)), 100
)
TASKS = (STATES.name, "text.notes")
STEPS_OF_EPISODES = (20, 45, 31, 60, 24, 52, 17, 38)
DOCUMENTS = 60
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


def random_episode(rng, steps):
    """No timestep of the task is like another one."""
    return [
        {
            "observation": {"x": rng.normal(size=39).astype(np.float32)},
            "action": (action := rng.uniform(-1, 1, 4).astype(np.float32)),
            "expert_action": action,
            "is_first": step == 0,
            "is_last": step == steps,
            "is_terminal": False,
        }
        for step in range(steps + 1)
    ]


@pytest.fixture(scope="session")
def small_data(recorded_data, tmp_path_factory):
    """Episodes and documents of which passes take no time."""
    root, rng = tmp_path_factory.mktemp("small"), np.random.default_rng(0)
    write(root, STATES, [random_episode(rng, steps) for steps in STEPS_OF_EPISODES])
    documents = [{"text": text} for text in python_documents()[:DOCUMENTS]]
    text = root / TASKS[1]
    splits = {"train": documents[5:], "validation": documents[:5]}
    write_examples(text / "chunk-00", name="text_notes", features={"text": tfds.features.Text()}, splits=splits)
    (text / "spec.json").write_text(json.dumps({"name": TASKS[1], "kind": "text"}))
    (text / "recording.json").write_text("{}")
    shutil.copy(recorded_data / "tokenizer.model", root)
    return root


@pytest.fixture(scope="module")
def one_group(small_data):
    """Two windows of states, or 90 pieces of text twice, in a row; a stream of two virtual shards."""
    mixture = MixtureConfig({TASKS[0]: 3.0, TASKS[1]: 1.0}, {"all": RowGroup(TASKS, windows=2, window_length=90)}, 16)
    stream = StreamConfig(virtual_shards=SHARDS, reseed_every=5, shuffle_buffer=64, prompt_share=0.0)
    return DataConfig(str(small_data), TokenConfig(Vocabulary(1024)), mixture, stream)


@pytest.fixture(scope="module")
def registered(one_group, clean_registries):
    """`one_group` as "gato"."""
    assert data_pipelines.register(one_group) == ["gato:all"]
    return one_group
