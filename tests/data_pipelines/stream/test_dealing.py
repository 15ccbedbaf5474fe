"""The law of dealing, counted on batches of the stream: over real files, any V, and many fresh starts."""

import numpy as np
import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.importing.control import import_episodes
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.stream.stream import Stream
from data_pipelines.tokenizers.layout import TokenConfig

LENGTHS = [1, 2, 3, 5, 8, 40, 90]  # As an import sorted by return may have them.
TOTAL = sum(LENGTHS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two tasks: episodes whose observation is the number of the timestep, and one episode by itself."""

    def episodes(lengths):
        begin = 0
        for length in lengths:
            numbers = np.append(np.arange(begin, begin + length), 0)[:, None]
            observation = {"number": np.concatenate([numbers // 32, numbers % 32], axis=1)}
            yield {"observation": observation, "action": np.zeros((length, 1), np.float32), "reward": np.zeros(length)}
            begin += length

    root = tmp_path_factory.mktemp("data")
    import_episodes(episodes(LENGTHS), root, "toy.many", progress=lambda progress: None)
    import_episodes(episodes([30]), root, "toy.single", progress=lambda progress: None)
    return root


def make_stream(data, shards, tasks=("toy.many",), window=3, **stream):
    group = RowGroup(tasks, windows=2, window_length=4 * window)
    options = {"reseed_every": 7, "shuffle_buffer": 32, "prompt_share": 0.0, "prompt_loss": False, **stream}
    mixture = MixtureConfig(dict.fromkeys(tasks, 1.0), {"all": group}, 16)
    return Stream(DataConfig(str(data), TokenConfig(), mixture, StreamConfig(virtual_shards=shards, **options)))


@pytest.mark.parametrize(("shards", "prompt_share"), [(1, 0.0), (8, 0.0), (8, 0.25)])
def test_most_over_least_dealt_timestep(data, shards, prompt_share):
    stream = make_stream(data, shards, prompt_share=prompt_share, window=4 if prompt_share else 3)
    count, prompts = np.zeros(TOTAL, int), 0
    while count.sum() < 20.5 * TOTAL:
        batch = next(stream)["all"]
        tokens = batch["tokens"].reshape(-1, 4)[batch["segment_ids"].reshape(-1, 4)[:, 0] > 0]
        own = batch["loss_mask"].reshape(-1, 4)[batch["segment_ids"].reshape(-1, 4)[:, 0] > 0][:, 3] > 0
        count += np.bincount(tokens[own, 0] % 1024 * 32 + tokens[own, 1] % 1024, minlength=TOTAL)
        prompts += (~own).sum()
    stream.close()
    assert count.max() / count.min() <= 1.1, count
    assert (prompts > 0) == (prompt_share > 0)


def test_there_are_no_prompts_where_there_is_one_episode(data, caplog):
    stream = make_stream(data, 2, ("toy.single",), window=4, prompt_share=1.0)
    assert "no prompts for tasks of which no agent has a second episode: toy.single" in caplog.text
    batch = next(stream)["all"]
    used = batch["segment_ids"].reshape(-1, 4)[:, 0] > 0
    assert (batch["loss_mask"].reshape(-1, 4)[used, 3] > 0).all()
    stream.close()


def test_the_lengths_are_kept_beside_the_data(data):
    task = read_task(data, "toy.many")
    with np.load(task.directories[0] / "episodes-train.npz", allow_pickle=False) as stored:
        assert sorted(stored["timesteps"].tolist()) == LENGTHS
