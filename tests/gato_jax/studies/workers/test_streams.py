"""Runs of a study share what was traced and read, and see the very batches that they see alone."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from data_pipelines.stream.stream import Stream, batch_hash
from gato_jax.studies.study import load_study
from gato_jax.studies.workers.streams import SharedStreams

RECORDED = Path(__file__).parents[1] / "recorded_study.py"


@pytest.fixture(scope="module")
def experiments(recorded_data):
    """Two mixtures with two seeds."""
    study = load_study(str(RECORDED), directory=recorded_data)
    study = dataclasses.replace(study, seeds=(0, 1))
    return [study.experiment(run) for run in study.runs()[:4]]


def test_a_shared_stream_is_the_stream(experiments):
    opener, alone = SharedStreams(), []
    shared = [opener(experiment, 0, 1) for experiment in experiments]
    assert len({id(stream.pipelines) for stream in shared}) == 1
    for experiment, stream in zip(experiments, shared, strict=True):
        own = Stream(experiment.data)
        alone.append([batch_hash(next(own)) for _ in range(22)])  # into the second segment
        assert [batch_hash(next(stream)) for _ in range(22)] == alone[-1]
        assert stream.position() == own.position()
        own.close()
        stream.close()
    assert len({hashes[0] for hashes in alone}) == 4
    # Held-out rows are read once.
    first, second = (stream.validation_batches("text.python_docs", 2) for stream in shared[:2])
    assert first is second
    assert batch_hash({"all": first[0]}) == batch_hash({"all": own.validation_batches("text.python_docs", 2)[0]})


def test_other_data_has_pipelines_of_its_own(experiments, recorded_data, tmp_path):
    directory = shutil.copytree(recorded_data, tmp_path / "data")
    one, two = (
        dataclasses.replace(e, data=dataclasses.replace(e.data, directory=str(directory))) for e in experiments[:2]
    )
    tokens = dataclasses.replace(two.data.tokens, text_tokens=21)
    other = dataclasses.replace(two, data=dataclasses.replace(two.data, tokens=tokens))
    opener = SharedStreams()
    opened = [opener(one, 0, 1), opener(two, 0, 1), opener(other, 0, 1), opener(other, 0, 1)]
    # Somebody repairs a file.
    os.utime(directory / "tokenizer.model")
    opened.append(opener(other, 0, 1))
    first, second, third, fourth, fifth = (stream.pipelines for stream in opened)
    assert first is second
    assert third is fourth
    assert first is not third
    assert fourth is not fifth
    for stream in opened:
        stream.close()
