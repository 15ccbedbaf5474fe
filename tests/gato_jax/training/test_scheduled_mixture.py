"""Training through a change of weights that changes the rows of the groups, on recorded data."""

import dataclasses
import json

import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig, Phase
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax.training.train import train

DRAWER, TEXT = "metaworld.drawer_close", "text.python_docs"
GROUPS = {
    "metaworld": RowGroup((DRAWER,), windows=1, window_length=44, targets=4),
    "text": RowGroup((TEXT,), windows=1, window_length=64),
}


@pytest.fixture
def experiment(tiny, recorded_data):
    """Two steps with 12 rows of control and 4 of text, then as many of both."""
    mixture = MixtureConfig({DRAWER: 3, TEXT: 1}, GROUPS, 16, (Phase(2, {DRAWER: 1, TEXT: 1}),))
    stream = StreamConfig(virtual_shards=2, reseed_every=2, prompt_share=0.0, threads=1)
    base = tiny.tiny_experiment(steps=4, hash_batches=True, model=tiny.tiny_model(max_length=64))
    tokens = TokenConfig(Vocabulary(1024), pack_discrete=True, text_tokens=20)
    return dataclasses.replace(base, data=DataConfig(str(recorded_data), tokens, mixture, stream))


def records(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_rows_follow_the_weights_and_a_resume_goes_on(experiment, tmp_path):
    train(experiment, tmp_path / "whole")
    seen = [record["task_rows"] for record in records(tmp_path / "whole")]
    assert seen == [{DRAWER: 12, TEXT: 4}, {DRAWER: 24, TEXT: 8}, {DRAWER: 32, TEXT: 16}, {DRAWER: 40, TEXT: 24}]

    # Stopped in the first phase, continued into the second: the same batches and losses.
    shorter = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, steps=2))
    train(shorter, tmp_path / "parts")
    train(experiment, tmp_path / "parts")
    pairs = list(zip(records(tmp_path / "whole"), records(tmp_path / "parts"), strict=True))
    assert [part["batch_hash"] for _, part in pairs] == [whole["batch_hash"] for whole, _ in pairs]
    assert [part["loss"] for _, part in pairs[:2]] == [whole["loss"] for whole, _ in pairs[:2]]

    # What the report compares the drawn rows with.
    assert experiment.data.mixture.shares_over(4) == {DRAWER: 40 / 64, TEXT: 24 / 64}
