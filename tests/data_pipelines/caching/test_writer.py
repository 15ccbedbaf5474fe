"""Tokens written once: the same stream, whoever wrote them; and what happens to them on the way."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import seqio

from data_pipelines.caching.writer import verify_cache, write_cache
from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.importing.control import import_episodes
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.cached_source import MANIFEST, read_manifest
from data_pipelines.storage import data_directory
from data_pipelines.storage.data_directory import RecordingError
from data_pipelines.storage.recorded_tasks import DataError
from data_pipelines.stream.stream import Stream, batch_hash
from data_pipelines.stream.validation import validation_batches
from data_pipelines.tokenizers.layout import TokenConfig

STEPS = 3


@pytest.fixture(scope="module")
def config(data_config):
    return data_config(groups=("babyai", "metaworld", "text", "vqa"))


@pytest.fixture(scope="module")
def cache(config, tmp_path_factory):
    out = tmp_path_factory.mktemp("cache") / "out"
    result = write_cache(config, out, workers=1)
    assert set(result.uncached) == {"vqa.easy_vqa"}
    return out


@pytest.fixture
def copied(cache, tmp_path):
    return shutil.copytree(cache, tmp_path / "cache")


def test_cached_and_uncached_streams_are_one(data_config, cache):
    """The same batches, and a position of one continues the other: texts, cells and states."""
    tasks = ("babyai.go_to_obj", "metaworld.drawer_close", "text.python_docs")
    config = data_config(groups=("text",), virtual_shards=2)
    group = RowGroup(tasks, window_length=90)
    mixture = MixtureConfig(dict.fromkeys(tasks, 1.0), {"all": group}, 16)
    config = dataclasses.replace(config, mixture=mixture)
    plain, cached = Stream(config), Stream(dataclasses.replace(config, cache=str(cache)))
    batches = [next(plain) for _ in range(STEPS)]
    assert {*np.concatenate([batch["all"]["task_id"] for batch in batches])} == {0, 1, 2}
    assert [batch_hash(next(cached)) for _ in range(STEPS)] == [batch_hash(batch) for batch in batches]
    cached.restore({**plain.position(), "step": 1})
    assert batch_hash(next(cached)) == batch_hash(batches[1])
    for stream in (plain, cached):
        stream.close()


def test_beam_writes_the_same_files(config, cache, tmp_path):
    write_cache(config, tmp_path / "beam", beam_options=["--runner=DirectRunner"])
    names = sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())
    assert names == sorted(str(p.relative_to(tmp_path / "beam")) for p in (tmp_path / "beam").rglob("*") if p.is_file())
    assert all((tmp_path / "beam" / name).read_bytes() == (cache / name).read_bytes() for name in names)


def test_several_processes_write_the_same_files(data_config, cache, tmp_path):
    write_cache(data_config(groups=("text",)), tmp_path / "pool", workers=2)
    task = tmp_path / "pool" / "text.python_docs"
    for path in task.glob("*.tfrecord-*"):
        assert path.read_bytes() == (cache / task.name / path.name).read_bytes()


def test_the_layout_is_that_of_seqio(cache):
    """SeqIO's own cached source reads the files."""
    source = seqio.dataset_providers._CachedDataSource(str(cache / "text.python_docs"), "validation")
    expected = json.loads((cache / "text.python_docs" / "stats.validation.json").read_text())["examples"]
    assert sum(1 for _ in source.get_dataset(split="validation", shuffle=False)) == expected


def test_an_interrupted_run_goes_on_with_the_files_that_are_missing(config, copied):
    task = copied / "metaworld.drawer_close"
    gone, kept = sorted(task.glob("*.tfrecord-*"))[0], sorted((copied / "text.python_docs").glob("*.tfrecord-*"))[0]
    before, written = gone.read_bytes(), kept.stat().st_mtime_ns
    gone.unlink()
    (task / MANIFEST).unlink()
    write_cache(config, copied, workers=1)
    assert gone.read_bytes() == before
    assert kept.stat().st_mtime_ns == written
    assert not list(copied.rglob("*.partial"))


def test_damaged_files_are_found_and_written_again(config, copied):
    first = sorted((copied / "babyai.go_to_obj").glob("*.tfrecord-*"))[0]
    good = first.read_bytes()
    first.write_bytes(good[:-7])
    with pytest.raises(DataError, match="truncated inside record"):
        Stream(dataclasses.replace(config, cache=str(copied)))
    assert "truncated" in verify_cache(copied)[0]
    write_cache(config, copied, workers=1)
    assert first.read_bytes() == good
    assert verify_cache(copied) == []
    first.write_bytes(good[:40] + bytes([good[40] ^ 1]) + good[41:])
    assert "expected checksum" in verify_cache(copied)[0]
    write_cache(config, copied, workers=1)
    assert first.read_bytes() == good, "damage inside a record is no new truth"
    (copied / "babyai.go_to_obj" / MANIFEST).unlink()
    assert "babyai.go_to_obj: not finished" in verify_cache(copied)[0]
    assert "expected a cache, found none" in verify_cache(copied / "nothing")[0]


def test_a_cache_of_other_settings_is_refused(config, cache):
    other = dataclasses.replace(
        config, tokens=dataclasses.replace(config.tokens, separator_loss=True), cache=str(cache)
    )
    with pytest.raises(DataError, match=r"tokens.separator_loss: False -> True"):
        Stream(other)
    with pytest.raises(DataError, match=r"tokens.separator_loss: False -> True"):
        write_cache(other, cache, workers=1)


def test_bare_pixels_give_the_same_rows_as_encoded_pictures(tmp_path):
    """In the order of the files, as fewer raw frames may fit the shuffle buffers; and both know of the difference."""
    generator = np.random.default_rng(0)
    for task, size in (("sim.small", (32, 48)), ("sim.odd", (20, 30))):
        frames = [generator.integers(0, 256, (9, *size, 3), dtype=np.uint8) for _ in range(12)]
        episodes = [
            {"observation": {"camera": frame}, "action": np.arange(8) % 3, "reward": np.zeros(8)} for frame in frames
        ]
        import_episodes(iter(episodes), tmp_path, task, validation=0.5, progress=lambda progress: None)
    group = RowGroup(("sim.small", "sim.odd"), window_length=64, patches=64)
    mixture = MixtureConfig({"sim.small": 1.0, "sim.odd": 1.0}, {"all": group}, 8)
    plain = DataConfig(str(tmp_path), TokenConfig(), mixture, StreamConfig(virtual_shards=2, prompt_share=0))
    cached, raw = (dataclasses.replace(plain, cache=str(tmp_path / name)) for name in ("cached", "raw"))
    write_cache(cached, cached.cache, workers=1)
    write_cache(raw, raw.cache, workers=1, raw_frames=True)
    with pytest.raises(DataError, match=r"frames: 'raw' -> '\(absent\)'"):
        write_cache(raw, raw.cache, workers=1)
    for task in ("sim.small", "sim.odd"):
        kinds = [list(validation_batches(config, task, 3)) for config in (plain, cached, raw)]
        assert kinds[0]
        for one, *others in zip(*kinds, strict=True):
            assert one["patches"].any()
            assert all(batch_hash({"all": other}) == batch_hash({"all": one}) for other in others)
    streams = [Stream(config) for config in (plain, raw)]
    assert sum(int(next(stream)["all"]["patches"].astype(np.int64).sum()) > 0 for stream in streams) == 2
    with pytest.raises(ValueError, match=r"fingerprint.raw_frames"):
        streams[0].restore(streams[1].position())
    for stream in streams:
        stream.close()


def test_a_missing_cache_is_named(config, tmp_path):
    with pytest.raises(DataError, match="has no finished cache"):
        Stream(dataclasses.replace(config, cache=str(tmp_path)))


def test_a_directory_of_something_else_is_refused(config, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RecordingError, match=r"no gato-jax cache.*found thesis\.txt; choose another"):
        write_cache(config, tmp_path, workers=1)
    with pytest.raises(RecordingError, match=r"'gato-jax cache'.*found.*'gato-jax recording'"):
        write_cache(config, config.directory, workers=1)
    with pytest.raises(RecordingError, match="expected a directory, found a file"):
        write_cache(config, tmp_path / "thesis.txt", workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_cache_without_a_marker_is_one(config, copied):
    """As earlier versions wrote them."""
    (copied / "format.json").unlink()
    write_cache(config, copied, workers=1)
    assert json.loads((copied / "format.json").read_text())["format"] == "gato-jax cache"


def test_no_workers(config, tmp_path):
    with pytest.raises(ValueError, match="workers must be positive, found 0"):
        write_cache(config, tmp_path / "cache", workers=0)
    assert not (tmp_path / "cache").exists()


def test_what_a_killed_run_left_is_removed(config, copied):
    """Half a file of tokens, and half a manifest."""
    task = copied / "text.python_docs"
    left = [task / ".train.tfrecord-00000-of-00001.4242.partial", task / ".manifest.json.x1y2z3"]
    for path in left:
        path.write_bytes(b"half")
    with data_directory.lock(copied), pytest.raises(RecordingError, match="another gato cache is writing"):
        write_cache(config, copied, workers=1)
    assert all(path.exists() for path in left)  # somebody may be writing them
    write_cache(config, copied, workers=1)
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda text: "", lambda text: "[]"])
def test_a_damaged_manifest_is_named(config, copied, damage):
    path = copied / "text.python_docs" / MANIFEST
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=f"{path}: expected the manifest of a cached task.*delete it"):
        read_manifest(path)
    assert [str(path) in problem for problem in verify_cache(copied)] == [True]
