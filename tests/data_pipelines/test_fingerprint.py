"""What a saved position is compared with: settings, code, files and their contents, the text model."""

import dataclasses
import importlib.util
import pathlib
import shutil

import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.differences import difference_lines
from data_pipelines.fingerprint import PIPELINE_VERSION, describe, describe_files, with_names_of_today
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.storage.recorded_tasks import check_tfrecord, read_task
from data_pipelines.stream.stream import Stream, batch_hash
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary

_file = importlib.util.spec_from_file_location("recordings", pathlib.Path(__file__).parent / "recordings.py")
recordings = importlib.util.module_from_spec(_file)
_file.loader.exec_module(recordings)

HASHES = {
    3: "895e8ff34caa62ff2fee35baf22455f86c88bb8cc4f48bda17c06e95e3db1a12",
    4: "41bed06a9f16eba75d3f3e74741b88585736fcf7aed64fac2108bd1e7ff7674e",
}
"""Digest of a batch, by `PIPELINE_VERSION`. Where it changes, old checkpoints would go on with other data: raise the
version, so that they are refused, and add a line here."""


def test_batches_change_only_with_the_version(tmp_path):
    spec = recordings.POINT
    recordings.write(tmp_path, spec, [recordings.episode(spec, 5 + number) for number in range(10)], per_file=3)
    group = RowGroup((spec.name,), windows=2, window_length=70, patches=20)
    stream = Stream(
        DataConfig(
            str(tmp_path),
            TokenConfig(Vocabulary(1024)),
            MixtureConfig({spec.name: 1.0}, {"all": group}, 4),
            StreamConfig(virtual_shards=2, reseed_every=2, shuffle_buffer=4),
        )
    )
    batches = [next(stream) for _ in range(3)]
    stream.close()
    assert batch_hash({str(number): batch["all"] for number, batch in enumerate(batches)}) == HASHES[PIPELINE_VERSION]


def test_contents_of_equal_length_are_told_apart(tmp_path):
    spec = recordings.POINT
    first = [recordings.episode(spec, 5) for _ in range(4)]
    second = [recordings.episode(spec, 5) for _ in range(4)]
    second[2][3]["action"] = second[2][3]["action"] + 0.5
    tasks = [
        read_task(recordings.write(tmp_path / name, spec, episodes), spec.name)
        for name, episodes in (("first", first), ("again", first), ("second", second))
    ]
    one, again, other = (describe_files(task, "train") for task in tasks)
    assert one == again
    assert [line.split(":")[0] for line in difference_lines(one, other)] == ["contents"]
    assert check_tfrecord(tasks[0].shards["train"][0].path, 2).entries[0] == 0


def test_another_text_model_under_the_same_name(data_config, recorded_data, tmp_path):
    config = data_config(groups=("text",))
    recorded = {"text.python_docs": read_task(recorded_data, "text.python_docs")}
    saved = describe(config, recorded, "train")
    shutil.copy(recorded_data / "tokenizer.model", tmp_path / "tokenizer.model")
    moved = DataConfig(str(tmp_path), config.tokens, config.mixture, config.stream)
    assert describe(moved, recorded, "train") == saved
    with (tmp_path / "tokenizer.model").open("ab") as file:
        file.write(b"\0")
    assert [line.split(":")[0] for line in difference_lines(saved, describe(moved, recorded, "train"))] == [
        "text_model"
    ]


def test_names_of_settings_are_those_of_before(data_config, recorded_data):
    """So a renamed setting changes no fingerprint; people are told the name of today."""
    config = data_config(groups=("metaworld",))
    recorded = {name: read_task(recorded_data, name) for name in config.mixture.task_names}
    saved = describe(config, recorded, "train")
    assert saved["settings"]["stream"]["segment_steps"] == config.stream.reseed_every
    groups = saved["settings"]["mixture"]["groups"]
    assert groups["metaworld"]["segments"] == config.mixture.groups["metaworld"].windows
    other = dataclasses.replace(config, stream=dataclasses.replace(config.stream, reseed_every=9))
    sides = [with_names_of_today({"fingerprint": describe(one, recorded, "train")}) for one in (config, other)]
    assert difference_lines(*sides) == [f"fingerprint.settings.stream.reseed_every: {config.stream.reseed_every} -> 9"]
    assert with_names_of_today({"step": 3}) == {"step": 3}


def test_no_text_needs_no_model(tmp_path):
    spec = recordings.POINT
    recordings.write(tmp_path, spec, [recordings.episode(spec, 5)])
    config = DataConfig(
        str(tmp_path), TokenConfig(Vocabulary(1024)), MixtureConfig({spec.name: 1.0}, {"a": RowGroup((spec.name,))}, 4)
    )
    recorded = {spec.name: read_task(tmp_path, spec.name)}
    assert describe(config, recorded, "train")["text_model"] == "none"
    with pytest.raises(FileNotFoundError, match="no SentencePiece model"):
        describe(config, {"text.a": recorded_text()}, "train")


def recorded_text():
    from data_pipelines.storage.recorded_tasks import RecordedTask

    return RecordedTask("text.a", "text", None, (), {})
