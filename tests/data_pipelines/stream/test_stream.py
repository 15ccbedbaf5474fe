"""The stream: a pure function of (seed, step) on any number of hosts, checked before it starts."""

import dataclasses
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest

from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.reports.batch_page import inspect_page
from data_pipelines.schema import FIELDS, RowGroup
from data_pipelines.stream.stream import Stream, batch_hash
from data_pipelines.stream.validation import validation_batches
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.vocabulary import TokenType, Vocabulary

STEPS = 12  # More than two segments of five steps.


@pytest.fixture(scope="module")
def config(data_config):
    return data_config(virtual_shards=2)


@pytest.fixture(scope="module")
def stream(config):
    stream = Stream(config)
    yield stream
    stream.close()


@pytest.fixture(scope="module")
def batches(stream):
    return [next(stream) for _ in range(STEPS)]


@pytest.fixture(scope="module")
def hashes(batches):
    return [batch_hash(batch) for batch in batches]


def test_fields_follow_the_schema(config, batches):
    for batch in batches:
        assert sorted(batch) == sorted(config.mixture.groups)
        for name, group in config.mixture.groups.items():
            assert sorted(batch[name]) == sorted(FIELDS)
            for field, values in batch[name].items():
                assert values.shape[1:] == group.field_shape(field), field
                assert values.dtype == FIELDS[field].dtype, field


def test_rows_are_consistent(config, batches):
    vocabulary = config.tokens.vocabulary
    for batch in batches:
        for name, group in config.mixture.groups.items():
            rows = batch[name]
            kinds, segments = rows["token_type"], rows["segment_ids"]
            np.testing.assert_array_equal(segments > 0, kinds != TokenType.PADDING)
            # A sequence begins at position 0, never goes on past its segment, and has a number of its own in the row.
            places = rows["positions"]
            begins = places == 0
            assert begins[:, :: group.window_length].all()
            goes_on = np.where(begins, 0, np.roll(places, 1, axis=1) + 1)
            np.testing.assert_array_equal(places[segments > 0], goes_on[segments > 0])
            np.testing.assert_array_equal(segments, np.where(segments > 0, np.cumsum(begins, axis=1), 0))
            assert (rows["tokens"] < vocabulary.size).all()
            assert not rows["tokens"][(kinds == TokenType.PATCH) | (kinds == TokenType.PADDING)].any()
            loss = rows["loss_mask"]
            np.testing.assert_array_equal(
                loss > 0, ((kinds == TokenType.TEXT) | (kinds == TokenType.ACTION)) & (places > 0)
            )
            assert loss.reshape(len(loss), group.windows, -1).sum(axis=2).max() <= group.target_budget
            names = {config.mixture.task_names[index] for index in rows["task_id"]}
            assert names <= set(group.tasks)
            for row in range(len(kinds)):
                slots = rows["patch_slot"][row]
                used = slots < group.length
                assert slots[used].tolist() == np.flatnonzero(kinds[row] == TokenType.PATCH).tolist()
                assert not rows["patches"][row][~used].any()
                assert rows["patch_interval"][row][used].any() == used.any()


def test_segments_of_a_row_come_from_different_places(batches):
    rows = batches[0]["metaworld"]["tokens"]
    halves = rows.reshape(len(rows), 2, -1)
    assert (halves[:, 0] != halves[:, 1]).any(axis=1).all()


def test_pictures_arrive_as_recorded(config, batches):
    import tensorflow as tf

    from data_pipelines.seqio_tasks.sources import ImageTextDataSource
    from data_pipelines.storage.recorded_tasks import read_task
    from data_pipelines.tokenizers.image_text import ImageTextTokenizer

    text = TextTokenizer(f"{config.directory}/tokenizer.model")
    tokenizer = ImageTextTokenizer(config.tokens, text)
    pairs_by_content = {}
    for example in ImageTextDataSource(read_task(config.directory, "vqa.easy_vqa")).get_dataset(shuffle=False):
        image = tf.io.decode_image(example["image"]).numpy()
        pair = tokenizer.encode_pair(image, example["question"].numpy().decode(), example["answer"].numpy().decode())
        pairs_by_content[pair["patches"].tobytes(), tuple(pair["tokens"])] = pair
    rows = batches[0]["vqa"]
    for index in range(len(rows["task_id"])):
        tokens = rows["tokens"][index][rows["segment_ids"][index] > 0]
        pair = pairs_by_content[rows["patches"][index].tobytes(), tuple(tokens)]
        np.testing.assert_array_equal(rows["patch_interval"][index], pair["patch_interval"])


def test_every_number_of_hosts_sees_the_same_global_batch(data_config):
    config = data_config(groups=("babyai", "vqa"), rows=32, virtual_shards=4, shuffle_buffer=8)
    whole = Stream(config)
    expected = [batch_hash(next(whole)) for _ in range(2)]
    for hosts in (2, 4):
        streams = [Stream(config, host=h, hosts=hosts, pipelines=whole.pipelines) for h in range(hosts)]
        for step in range(2):
            parts = [next(stream) for stream in streams]
            joined = {
                name: {key: np.concatenate([part[name][key] for part in parts]) for key in FIELDS} for name in parts[0]
            }
            assert batch_hash(joined) == expected[step], f"{hosts} hosts, step {step}"
    with pytest.raises(ValueError, match=r"virtual_shards = 4.*hosts, found 3"):
        Stream(config, hosts=3)


def test_shards_draw_their_own_tasks(data_config):
    stream = Stream(data_config(groups=("babyai",), rows=64, virtual_shards=8))
    drawn = np.stack([next(stream)["babyai"]["task_id"].reshape(8, -1) for _ in range(4)], axis=1).reshape(8, -1)
    assert len({tuple(shard) for shard in drawn}) == 8


def test_tasks_come_at_their_declared_rates(data_config):
    config = data_config(groups=("babyai",), rows=128, reseed_every=30)
    stream = Stream(config)
    ids = np.stack([next(stream)["babyai"]["task_id"] for _ in range(30)])
    shares = np.array(list(stream.realised_shares.values()))
    np.testing.assert_allclose(shares, [2 / 3, 1 / 3])
    assert np.bincount(ids.ravel(), minlength=2).tolist() == (shares * ids.size).round().tolist()
    assert (abs((ids == 0).sum(axis=1) - 128 * 2 / 3) <= 3).all(), "in every batch nearly so"


def test_equal_batches_at_any_step_of_a_fresh_process(config, stream, hashes):
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import conftest\n"
        "from data_pipelines.stream.stream import *\n"
        "stream = Stream(conftest.make_config(sys.argv[2], virtual_shards=2))\n"
        "position = json.loads(sys.argv[3]); found = []\n"
        "for step in json.loads(sys.argv[4]):\n"
        "    stream.restore({**position, 'step': step}); found.append(batch_hash(next(stream)))\n"
        "print(*found)"
    )
    # The first step of a run, then forwards and backwards to steps of any segment.
    steps = [0, *sorted(random.Random(os.getpid()).sample(range(1, STEPS), 2), reverse=True)]
    helpers = os.path.dirname(os.path.dirname(__file__))
    arguments = [helpers, config.directory, json.dumps(stream.position()), json.dumps(steps)]
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [hashes[step] for step in steps], steps


@pytest.mark.parametrize("step", [0, 3, 5])
def test_resume(config, stream, hashes, step):
    other = Stream(config, pipelines=stream.pipelines)
    next(other)
    other.restore(json.loads(json.dumps({**stream.position(), "step": step})))
    assert other.step == step
    stop = min(STEPS, step + 4)
    assert [batch_hash(next(other)) for _ in range(step, stop)] == hashes[step:stop]
    assert other.position() == {**stream.position(), "step": stop}
    other.close()


def test_segments_differ(hashes):
    assert len(set(hashes)) == STEPS


def test_restore_names_every_difference(config, stream):
    position = json.loads(json.dumps(stream.position()))
    other = dataclasses.replace(
        config,
        tokens=dataclasses.replace(config.tokens, predict_text_observations=False),
        stream=dataclasses.replace(config.stream, seed=9),
    )
    position["fingerprint"]["files"]["metaworld.drawer_close"]["bytes"] = 1
    with pytest.raises(ValueError, match="another stream") as raised:
        Stream(other).restore(position)
    message = str(raised.value)
    assert "seed: 0 -> 9" in message
    assert "settings.tokens.predict_text_observations: True -> False" in message
    assert "files.metaworld.drawer_close.bytes: 1 -> " in message
    with pytest.raises(ValueError, match="expected a number"):
        Stream(config, pipelines=stream.pipelines).restore({**stream.position(), "step": None})


def test_a_position_of_an_earlier_pipeline_is_refused_by_its_version(config, stream):
    position = stream.position()
    earlier = {**position, "fingerprint": {**position["fingerprint"], "pipeline": 3}}
    with pytest.raises(ValueError, match=r"version 3 of the data pipeline.*version 4.*evaluated and exported, but not"):
        Stream(config, pipelines=stream.pipelines).restore(earlier)


def test_small_sources_of_text_are_read_whole_by_every_shard(stream, data_config):
    assert stream.read_whole == []
    many = Stream(data_config(groups=("text", "metaworld"), rows=512, virtual_shards=256))
    assert many.read_whole == ["text.python_docs"]
    many.close()


def test_validation_batches_cover_the_split_once(config):
    text = TextTokenizer(f"{config.directory}/tokenizer.model")
    from data_pipelines.seqio_tasks.sources import TextDataSource
    from data_pipelines.storage.recorded_tasks import read_task

    source = TextDataSource(read_task(config.directory, "text.python_docs"))
    documents = [example["text"].decode() for example in source.get_dataset("validation", False).as_numpy_iterator()]
    split = list(validation_batches(config, "text.python_docs", 1000))
    rows = config.mixture.rows(config.stream.virtual_shards)["text"]
    assert {len(batch["tokens"]) for batch in split} == {rows}
    used = np.concatenate([batch["tokens"][batch["segment_ids"] > 0] for batch in split])
    assert len(used) == sum(len(text.encode(document)) + 1 for document in documents)
    assert len(list(validation_batches(config, "text.python_docs", 1))) == 1
    pictures = list(validation_batches(config, "vqa.easy_vqa", 1000))
    count = read_task(config.directory, "vqa.easy_vqa").examples("validation")
    assert sum(int((batch["segment_ids"] > 0).any(axis=1).sum()) for batch in pictures) == count
    with pytest.raises(ValueError, match=r"'metaworld.drawer_close' has no validation split"):
        next(validation_batches(config, "metaworld.drawer_close", 1))


def with_group(config, name, **changes):
    groups = {**config.mixture.groups, name: dataclasses.replace(config.mixture.groups[name], **changes)}
    return dataclasses.replace(config, mixture=dataclasses.replace(config.mixture, groups=groups))


@pytest.mark.parametrize(
    ("group", "changes", "message"),
    [
        ("babyai", {"targets": 15}, r"'babyai', task 'babyai.go_to_obj': needs targets of at least 20, found 15"),
        ("babyai", {"window_length": 50}, r"'babyai.go_to_obj', key 'image': .*window_length = 50 .*at least 72"),
        ("metaworld", {"targets": 7}, r"'metaworld.drawer_close': needs targets of at least 8, found 7"),
        ("vqa", {"patches": 15}, r"'vqa.easy_vqa': 1 windows of 16 patches need patches = 16, found 15"),
        ("text", {"targets": 10}, r"'text.python_docs': needs targets of at least 63, found 10"),
    ],
)
def test_budgets_are_checked_at_start_up(config, group, changes, message):
    with pytest.raises(ValueError, match=message):
        Stream(with_group(config, group, **changes))


def test_a_budget_that_only_the_data_can_break(data_config):
    config = with_group(data_config(groups=("vqa",), rows=8), "vqa", targets=3)
    with pytest.raises(RuntimeError, match=r"'vqa': targets of a window exceed the budget of 3.*vqa.easy_vqa"):
        next(Stream(config))


def test_text_that_is_too_long(data_config):
    tokens = TokenConfig(Vocabulary(1024), pack_discrete=True, text_tokens=3)
    config = data_config(groups=("babyai",), rows=8, tokens=tokens)
    with pytest.raises(ValueError, match=r"'babyai.go_to_\w+', episode 'chunk-.* record \d+', .*'mission'.*= 3.*go to"):
        next(Stream(config))


def test_a_prompt_needs_room(data_config):
    config = with_group(data_config(groups=("babyai",), rows=8, prompt_share=0.25), "babyai", window_length=100)
    with pytest.raises(ValueError, match=r"babyai.*window of 1 timesteps.*prompt_share = 0, found 0.25"):
        Stream(config)


def test_prompts_in_the_stream(data_config):
    config = data_config(groups=("metaworld",), rows=8, prompt_share=1.0, prompt_loss=False)
    batch = next(Stream(config))["metaworld"]
    loss = batch["loss_mask"].reshape(-1, 2, 45)[:, :, :44]
    assert not loss[:, 0].any()
    assert loss[:, 1].any()


def test_two_data_directories_in_one_process(recorded_data, data_config, tmp_path):
    (tmp_path / "other").symlink_to(recorded_data, target_is_directory=True)
    config = data_config(groups=("metaworld",), rows=8)
    moved = dataclasses.replace(config, directory=str(tmp_path / "other"))
    first, second = Stream(config), Stream(moved)
    assert batch_hash(next(first)) == batch_hash(next(second))
    second.restore(first.position())


def test_vocabulary_too_small_for_the_text_model(data_config):
    with pytest.raises(ValueError, match=r"text_size = 1024 is smaller than the"):
        Stream(data_config(groups=("text",), rows=8, tokens=TokenConfig(Vocabulary(1024), text_model="package:"
               "mistral_common/data/tokenizer.model.v1")))  # fmt: skip


def test_the_page_shows_the_batch(data_config):
    page = inspect_page(data_config(), rows=2)
    for part in ("babyai.go_to_obj", "metaworld.drawer_close", "data:image/png;base64,", "go to", "action ["):
        assert part in page
    assert "http" not in page.replace("http-equiv", "")


def test_rows_are_dealt_in_proportion():
    groups = {"a": RowGroup(("a.x",)), "b": RowGroup(("b.x", "b.y"))}
    mixture = MixtureConfig({"a.x": 1.0, "b.x": 1.0, "b.y": 3.0}, groups, 40)
    assert mixture.rows(8) == {"a": 8, "b": 32}
    assert mixture.realised_shares(8) == pytest.approx({"a.x": 0.2, "b.x": 0.2, "b.y": 0.6})
    assert mixture.loss_weights(mixture.rows(8)) == pytest.approx({"a": 0.2, "b": 0.8})
    assert dataclasses.replace(mixture, rows_per_step=24).rows(8) == {"a": 8, "b": 16}
    with pytest.raises(ValueError, match=r"rows_per_step = 42.*virtual_shards = 8; nearest possible: \[40, 48\]"):
        dataclasses.replace(mixture, rows_per_step=42).rows(8)
    with pytest.raises(ValueError, match=r"nearest possible: \[16\]"):
        dataclasses.replace(mixture, rows_per_step=8).rows(8)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a.one": 1.0, "a.two": 0.0}, r"weights\['a.two'\] must be positive, found 0"),
        ({"a.one": 1.0, "a.two": float("nan")}, r"weights\['a.two'\] must be a finite number"),
        ({"a.one": 1.0}, r"mixture.groups has task 'a.two', which mixture.weights lacks; nearest there: \['a.one'\]"),
        ({"a.one": 1, "a.two": 1, "a.tow": 1}, r"weights has task 'a.tow'.*nearest there: \['a.two', 'a.one'\]"),
    ],
)
def test_mixtures_check_themselves(weights, message):
    with pytest.raises(ValueError, match=message):
        MixtureConfig(weights, {"a": RowGroup(("a.one", "a.two"))}, 8)
