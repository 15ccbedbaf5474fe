"""Data of an earlier commit is read, continued and left alone as that commit did it: see `make_data.py`."""

import dataclasses
import importlib.util
import json
import pathlib
import shutil
import sys

import pytest
import tensorflow as tf

from data_pipelines import recording
from data_pipelines.caching.writer import verify_cache, write_cache
from data_pipelines.config import DataConfig
from data_pipelines.config_json import decode
from data_pipelines.stream.stream import Stream


def _load(name):
    """Test directories are no packages, so what lies here is loaded by its path."""
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


frozen = _load("frozen_data")
make = _load("make_data")
EXPECTED = json.loads(frozen.BATCHES.read_text())
NAMES = tuple(frozen.CONFIGURATIONS)


def expected(name):
    """What the earlier commit found; a cached stream has no batches of its own."""
    return EXPECTED["control_with_prompts" if name == "cached" else name]


def without_versions(position):
    """Versions of libraries are told apart on purpose; what is compared here is our code."""
    fingerprint = {key: value for key, value in position["fingerprint"].items() if key != "versions"}
    return json.loads(json.dumps({**position, "fingerprint": fingerprint}))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All frozen directories; only for reading."""
    root = tmp_path_factory.mktemp("frozen")
    frozen.unpack(root)
    return root


@pytest.fixture
def copy(tmp_path):
    """All frozen directories, to be changed."""
    frozen.unpack(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def streamed(root):
    """Name to (closed stream, digests, position behind them), read once."""
    cache = {}

    def read(name):
        if name not in cache:
            stream = Stream(decode(DataConfig, frozen.located(name, root)))
            steps = [frozen.digests(next(stream)) for _ in range(frozen.STEPS)]
            cache[name] = stream, frozen.joined(steps), stream.position()
            stream.close()
        return cache[name]

    return read


@pytest.mark.parametrize("name", NAMES)
def test_batches_have_the_frozen_digests(streamed, name):
    _, digests, _ = streamed(name)
    if difference := frozen.first_difference(name, expected(name)["digests"], digests):
        pytest.fail(difference)


@pytest.mark.parametrize("name", NAMES)
def test_position_and_fingerprint_are_the_frozen_ones(streamed, name):
    _, _, position = streamed(name)
    assert without_versions(position) == without_versions({**expected(name)["position"], "step": frozen.STEPS})


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_position_goes_on_with_the_frozen_batches(streamed, name):
    stream, _, position = streamed(name)
    saved = expected(name)["position"]
    saved = {**saved, "fingerprint": {**saved["fingerprint"], "versions": position["fingerprint"]["versions"]}}
    resumed = Stream(stream.config, pipelines=stream.pipelines)
    resumed.restore(saved)
    assert resumed.step == frozen.RESUMED
    steps = [frozen.digests(next(resumed)) for _ in range(frozen.RESUMED, frozen.STEPS)]
    resumed.close()
    rest = {
        group: {field: " ".join(text.split()[frozen.RESUMED :]) for field, text in fields.items()}
        for group, fields in expected(name)["digests"].items()
    }
    if difference := frozen.first_difference(name, rest, frozen.joined(steps), start=frozen.RESUMED):
        pytest.fail(difference)


def test_configurations_cross_seeds_and_phases():
    """The goldens show what they are for: several segments, rows that change, two groups at once."""
    for name, config in frozen.CONFIGURATIONS.items():
        assert 2 * config["stream"]["segment_steps"] < frozen.STEPS
        for group, fields in expected(name)["digests"].items():
            assert len(set(fields["tokens"].split())) > 2, f"{name}: group {group!r} hardly changes"
    assert len(expected("two_groups")["digests"]) == 2
    assert [first for first, _ in expected("schedule")["position"]["weights"]] == [0, 1, 2]


def test_a_cached_stream_reads_the_cached_files(copy):
    """A flipped bit inside each cached record ends the stream: nothing else was read."""
    for path in (copy / "cache").rglob("*.tfrecord-*"):
        content = bytearray(path.read_bytes())
        content[40] ^= 1
        path.write_bytes(content)
    stream = Stream(decode(DataConfig, frozen.located("cached", copy)))
    with pytest.raises(RuntimeError, match="damaged records"):
        next(stream)
    stream.close()


def files(directory):
    """{path: (content, time)} of everything but locks."""
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != ".lock" and not path.name.startswith("episodes-")  # Lengths, read once.
    }


def record_again(root):
    config = recording.RecordingConfig(**frozen.RECORDING)
    return recording.record(frozen.RECORDED, root / "recorded", config=config, progress=lambda progress: None)


def test_recording_again_reuses_every_task_and_writes_nothing(copy):
    before = files(copy / "recorded")
    summary = record_again(copy)
    assert summary.reused == frozen.RECORDED
    assert summary.recorded == ()
    assert files(copy / "recorded") == before


def test_an_interrupted_recording_keeps_its_finished_chunks(copy):
    """All chunks are there, the task is not put together yet: no worker has anything to do."""
    data, partial = copy / "recorded", copy / "recorded" / ".partial"
    before = files(data)
    partial.mkdir()
    for task in frozen.RECORDED:
        (data / task).rename(partial / task)
        for name in ("recording.json", "spec.json"):
            (partial / task / name).unlink()
    summary = record_again(copy)
    assert set(summary.recorded) == set(frozen.RECORDED)
    after = files(data)
    assert sorted(after) == sorted(before)
    for name, (content, time) in before.items():
        if name.endswith("recording.json"):
            records = [json.loads(text) | {"versions": None} for text in (content, after[name][0])]
            assert records[0] == records[1], name
        else:
            assert after[name][0] == content, name
        if "/chunk-" in name:
            assert after[name][1] == time, f"{name} was written again"


@pytest.mark.parametrize("task", sorted(frozen.IMPORTS))
def test_importing_again_reuses_the_task_and_writes_nothing(copy, task):
    before = files(copy / "imported")
    summary = make.run_import(copy, task)
    assert summary.reused
    assert files(copy / "imported") == before


@pytest.mark.parametrize("task", ["frozen.arm", "captions.shapes"])
def test_an_interrupted_import_keeps_its_finished_chunks(copy, task):
    data, partial = copy / "imported", copy / "imported" / ".importing" / task
    before = {name: content for name, content in files(data).items() if name.startswith(f"{task}/chunk-")}
    partial.parent.mkdir()
    (data / task).rename(partial)
    for name in ("recording.json", "spec.json"):
        (partial / name).unlink()
    *finished, last = sorted(path.name for path in partial.glob("chunk-*"))
    assert finished
    shutil.rmtree(partial / last)
    assert not make.run_import(copy, task).reused
    after = files(data)
    for name, content in before.items():
        assert f"/{last}/" in name or after[name] == content, f"{name} was written again"
    assert {name for name in after if name.startswith(f"{task}/chunk-")} == set(before)


@pytest.mark.parametrize("task", sorted(frozen.IMPORTS))
def test_an_import_writes_what_it_wrote(root, tmp_path, task):
    (tmp_path / "sources").symlink_to(root / "sources")
    assert not make.run_import(tmp_path, task).reused
    before, after = files(root / "imported" / task), files(tmp_path / "imported" / task)
    assert set(after) - {"survey.json"} == set(before) - {"survey.json"}
    for name, (content, _) in before.items():
        written = after[name][0]
        if name.endswith(".json"):
            # How long it took is of no matter.
            left, right = ({**json.loads(text), "seconds": 0} for text in (content, written))
            assert right == left, name
        else:
            assert examples(tmp_path / "imported" / task / name) == examples(root / "imported" / task / name), name


def examples(path):
    """Records of a file as {feature: values}, pictures as pixels: a version of Pillow may compress otherwise."""
    features_of_records = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        features_of_records.append({key: values(features[key]) for key in sorted(features)})
    return features_of_records


def values(feature):
    """Values of one feature."""
    raw = list(getattr(feature, feature.WhichOneof("kind") or "int64_list").value)
    return [tf.io.decode_png(v).numpy().tolist() if isinstance(v, bytes) and v[:4] == b"\x89PNG" else v for v in raw]


def test_caching_again_keeps_every_file(copy):
    config = decode(DataConfig, frozen.located("control_with_prompts", copy))
    before = {name: one for name, one in files(copy / "cache").items() if ".tfrecord-" in name}
    contents = {name: content for name, (content, _) in files(copy / "cache").items()}
    contents["format.json"] = b'{\n "format": "gato-jax cache",\n "version": 1\n}\n'  # Whose directory it is.
    assert before
    result = write_cache(config, copy / "cache", workers=1)
    assert set(result.tasks) == set(config.mixture.task_names)
    after = files(copy / "cache")
    assert {name: content for name, (content, _) in after.items()} == contents
    assert {name: after[name] for name in before} == before, "finished files were written again"
    assert verify_cache(copy / "cache") == []


def test_an_interrupted_cache_writes_the_missing_file_as_it_was(copy):
    config = decode(DataConfig, frozen.located("control_with_prompts", copy))
    before = files(copy / "cache")
    gone, *kept = sorted(name for name in before if ".tfrecord-" in name)
    (copy / "cache" / gone).unlink()
    (copy / "cache" / gone).with_name("manifest.json").unlink()
    write_cache(config, copy / "cache", workers=1)
    after = files(copy / "cache")
    after.pop("format.json")
    assert {name: content for name, (content, _) in after.items()} == {n: content for n, (content, _) in before.items()}
    assert all(after[name] == before[name] for name in kept), "finished files were written again"


def test_a_cache_of_other_tokens_is_still_refused(root):
    config = decode(DataConfig, frozen.located("cached", root))
    tokens = dataclasses.replace(config.tokens, separator_loss=True)
    with pytest.raises(ValueError, match=r"tokens\.separator_loss: False -> True"):
        Stream(dataclasses.replace(config, tokens=tokens))
