"""What an acting agent builds, timestep by timestep, is what the stream of the same episode trains on."""

import importlib.util
import pathlib

import numpy as np
import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.stream.stream import Stream
from data_pipelines.tokenizers.layout import ActionPositions, TimestepLayout, TokenConfig
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import Vocabulary
from gato_jax.agent.fields import concatenate, timestep_fields

PATH = pathlib.Path(__file__).parents[2] / "data_pipelines" / "recordings.py"
_file = importlib.util.spec_from_file_location("recordings", PATH)
recordings = importlib.util.module_from_spec(_file)
_file.loader.exec_module(recordings)
SPEC, STEPS = recordings.POINT, 6


@pytest.mark.parametrize("option", ActionPositions)
def test_fields(tmp_path, option):
    episode = recordings.episode(SPEC, STEPS)
    recordings.write(tmp_path, SPEC, [episode])
    tokens = TokenConfig(Vocabulary(1024), action_positions=option)
    layout = TimestepLayout.build(SPEC, tokens)
    group = RowGroup((SPEC.name,), window_length=STEPS * layout.length, patches=STEPS * layout.patches)
    stream = StreamConfig(virtual_shards=1, reseed_every=9, shuffle_buffer=1, prompt_share=0.0, pack=False)
    mixture = MixtureConfig({SPEC.name: 1.0}, {"all": group}, 1)
    opened = Stream(DataConfig(str(tmp_path), tokens, mixture, stream))
    batch = next(opened)["all"]
    opened.close()
    tokenizer = TimestepTokenizer(layout)
    seen = []
    for step in episode[:-1]:
        fields = tokenizer.encode_observation({key: np.asarray(v)[None] for key, v in step["observation"].items()})
        seen.append(timestep_fields(fields, tokenizer.encode_action(step["action"][None]), layout))
    for name, values in concatenate(seen).items():
        np.testing.assert_array_equal(batch[name], values, err_msg=name)
    action = batch["observation_position"][0].reshape(STEPS, -1)[:, layout.action.slice]
    assert np.unique(action).tolist() == {"none": [0], "same": [513], "local": [12, 13]}[option.value]
