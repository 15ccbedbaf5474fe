"""Each damage that a recording may have, on disk: the stream and the cache name where it is, in the agent's words."""

import dataclasses
import importlib.util
import io
import pathlib
import pickle

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data_pipelines.caching.writer import write_cache
from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.errors import Origin, TimestepError, describe
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.sources import RldsDataSource, seqio
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.stream.stream import Stream
from data_pipelines.stream.validation import validation_batches
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.tf.timestep import encode_episode
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import Vocabulary

_file = importlib.util.spec_from_file_location("recordings", pathlib.Path(__file__).parents[1] / "recordings.py")
recordings = importlib.util.module_from_spec(_file)
_file.loader.exec_module(recordings)
BUTTONS, POINT, episode, feature, features_of, write = (
    getattr(recordings, name) for name in ("BUTTONS", "POINT", "episode", "feature", "features_of", "write")
)
LENGTHS = (5, 7, 4)
WHERE = "task 'control.point', episode 'chunk-00/control_point-train.tfrecord-00000 record 1', timestep 3, key "


def config_of(root, spec, tokens=None):
    tokens = tokens or TokenConfig(Vocabulary(1024), text_tokens=4)
    length = TimestepLayout.build(spec, tokens).length
    group = RowGroup((spec.name,), windows=1, window_length=2 * length, patches=8)
    stream = StreamConfig(virtual_shards=1, reseed_every=50, shuffle_buffer=1, prompt_share=0.0)
    return DataConfig(str(root), tokens, MixtureConfig({spec.name: 1.0}, {"all": group}, 2), stream)


def read(config, steps=20):
    stream = Stream(config)
    try:
        for _ in range(steps):
            next(stream)
    finally:
        stream.close()


def episodes(spec=POINT):
    return [episode(spec, length) for length in LENGTHS]


def put(key, value, *, step=3, number=1):
    """Episodes with one value changed."""
    made = episodes()
    holder = made[number][step]
    (holder if key in holder else holder["observation"])[key] = value
    return made


DAMAGES = {
    "nan": ("position", np.float32([0, np.nan]), "'position': expected a finite number, found nan at [1]"),
    "inf": ("velocity", np.float64(-np.inf), "'velocity': expected a finite number, found -inf"),
    "too large for float32": ("velocity", np.float64(1e300), "'velocity': expected a finite number, found inf"),
    "action": ("action", np.float32([np.nan, 0]), "'action': expected a finite number, found nan at [0]"),
    "label": ("expert_action", np.float32([0, np.inf]), "'expert_action': expected a finite number, found inf at [1]"),
    "beyond its spec": (
        "action",
        np.float32([0.5, 1.5]),
        "'action': expected a number in [-1, 1], the range in its spec.json, found 1.5 at [1]",
    ),
    "label beyond its spec": (
        "expert_action",
        np.float32([-2, 0]),
        "'expert_action': expected a number in [-1, 1], the range in its spec.json, found -2.0 at [0]",
    ),
    "negative": ("mode", np.int64(-1), "'mode': expected an integer in [0, 4), found -1"),
    "wraps around 32 bits": ("mode", np.int64(2**32 + 1), "'mode': expected an integer in [0, 4), found 4294967297"),
    "digit": ("cell", np.int32([[4, 2], [1, 3]]), "'cell': expected an integer in [0, 3), found 3 at [1, 1]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_values(tmp_path, damage):
    key, value, message = DAMAGES[damage]
    made = put(key, value)
    config = config_of(write(tmp_path / "data", POINT, made), POINT)
    with pytest.raises(TimestepError) as error:
        write_cache(config, tmp_path / "cache", workers=1)
    assert str(error.value) == WHERE + message
    # An agent that meets the same values says the same.
    tokenizer = TimestepTokenizer(TimestepLayout.build(POINT, config.tokens))
    step, origin = made[1][3], Origin(["chunk-00/control_point-train.tfrecord-00000 record 1"], 3)

    def meet():
        observation = {name: np.asarray(value)[None] for name, value in step["observation"].items()}
        tokenizer.encode_observation(observation, origin=origin)
        for name in ("action", "expert_action"):
            tokenizer.encode_action(step[name][None], key=name, origin=origin)

    with pytest.raises(TimestepError) as error:
        meet()
    assert str(error.value) == WHERE + message


@pytest.mark.parametrize("damage", ["nan", "digit"])
def test_the_stream_says_the_same(tmp_path, damage):
    key, value, message = DAMAGES[damage]
    with pytest.raises(TimestepError) as error:
        read(config_of(write(tmp_path, POINT, put(key, value)), POINT))
    assert str(error.value) == WHERE + message
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value), "workers of a pool hand it over"


def test_validation_says_the_same(tmp_path):
    key, value, message = DAMAGES["inf"]
    root = write(tmp_path, POINT, put(key, value), split="validation")
    with pytest.raises(TimestepError) as error:
        list(validation_batches(config_of(root, POINT), POINT.name, 9))
    assert str(error.value) == WHERE.replace("-train", "-validation") + message


def test_the_dummy_last_step_may_hold_anything(tmp_path):
    made = put("position", np.float32([np.nan, np.nan]), step=7)
    made[1][7]["action"] = np.float32([np.nan, np.nan])
    read(config_of(write(tmp_path, POINT, made), POINT))


def test_long_text(tmp_path, recorded_data):
    made = episodes(BUTTONS)
    made[2][0]["observation"]["mission"] = 'go to the purple ball after you pick up a grey key, "it\'s" é'
    write(tmp_path, BUTTONS, made)
    (tmp_path / "tokenizer.model").write_bytes((recorded_data / "tokenizer.model").read_bytes())
    message = (
        r"record 0', timestep 0, key 'mission': expected text of at most tokens.text_tokens = 4 tokens, found \d+ "
    )
    with pytest.raises(TimestepError, match=message + "tokens: .*go to the purple .* é"):
        read(config_of(tmp_path, BUTTONS))


def png(height, width, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (png(16, 16), "expected shape (16, 32, 3), found shape (16, 16, 3)"),
        (png(32, 16, "JPEG"), "expected shape (16, 32, 3), found shape (32, 16, 3)"),
        (b"no image", "expected a PNG or JPEG image, found 8 bytes that begin with b'no image'"),
    ],
)
def test_images(tmp_path, image, message):
    def edit(number, record):
        example = tf.train.Example.FromString(record)
        if number == 1:
            example.features.feature["steps/observation/camera"].bytes_list.value[3] = image
        return example.SerializeToString()

    config = config_of(write(tmp_path / "data", POINT, episodes(), edit=edit), POINT)
    with pytest.raises(TimestepError) as error:
        write_cache(config, tmp_path / "cache", workers=1)
    assert str(error.value) == f"{WHERE}'camera': {message}"


def test_a_jpeg_of_the_right_size_is_fine(tmp_path):
    def edit(_, record):
        example = tf.train.Example.FromString(record)
        frames = example.features.feature["steps/observation/camera"].bytes_list.value
        frames[:] = [png(16, 32, "JPEG") if index % 2 else frame for index, frame in enumerate(frames)]
        return example.SerializeToString()

    read(config_of(write(tmp_path, POINT, episodes(), edit=edit), POINT))


@pytest.mark.parametrize("key", ["position", "expert_action"])
def test_a_value_too_few(tmp_path, key):
    name = f"steps/{key}" if "action" in key else f"steps/observation/{key}"

    def edit(number, record):
        example = tf.train.Example.FromString(record)
        if number == 1:
            del example.features.feature[name].float_list.value[-2:]
        return example.SerializeToString()

    config = config_of(write(tmp_path, POINT, episodes(), edit=edit), POINT)
    with pytest.raises(TimestepError, match=f"timestep 7, key '{key}': expected a value in each of 8 .*, found 7"):
        read(config)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"position": None}, "'position': expected a value, found none (observation key 'position': no 'position'"),
        ({"position": feature(POINT.observation[3], shape=(3,))}, "'position': expected shape (2,), found shape (3,)"),
        (
            {"mode": feature(POINT.observation[2], dtype=np.float32)},
            "'mode': expected an integer dtype, found float32",
        ),
        ({"action": feature(POINT.action, shape=(1,))}, "'action': expected shape (2,), found shape (1,)"),
        (
            {"camera": feature(ItemSpec("camera", Kind.CONTINUOUS, (16, 32, 3)), dtype=np.uint8)},
            "'camera': expected encoded images, found the TFDS feature Tensor",
        ),
    ],
)
def test_features_that_the_spec_does_not_name(tmp_path, features, message):
    """Known before anything is read, so no episode is named."""
    (key, other), made = next(iter(features.items())), episodes()
    for step in (step for steps in made for step in steps):
        holder = step if key in step else step["observation"]
        if other is None:
            del holder[key]
        else:
            holder[key] = np.zeros(other.shape, other.np_dtype)
    root = write(tmp_path, POINT, made, features=features_of(POINT, **features))
    with pytest.raises(TimestepError) as error:
        Stream(config_of(root, POINT))
    assert str(error.value).startswith(f"task 'control.point', key {message}")
    with pytest.raises(TimestepError):
        write_cache(config_of(root, POINT), tmp_path / "cache", workers=1)


def test_observations_longer_than_the_table_or_the_segment(tmp_path):
    config = config_of(write(tmp_path, POINT, episodes()), POINT)
    small = dataclasses.replace(config, tokens=TokenConfig(Vocabulary(1024), max_observation_tokens=9))
    message = "task 'control.point', key 'cell': expected at most .* = 9 tokens, found 4, and 10 with the other"
    with pytest.raises(TimestepError, match=message):
        Stream(small)
    group = dataclasses.replace(config.mixture.groups["all"], window_length=12)
    short = dataclasses.replace(config, mixture=MixtureConfig({POINT.name: 1.0}, {"all": group}, 2))
    with pytest.raises(TimestepError, match=r"task 'control.point', key 'cell': .*window_length = 12 .*at least 13"):
        Stream(short)


def test_examples_have_one_number_whatever_the_shard(tmp_path):
    made = [episode(POINT, length) for length in range(3, 10)]
    task = read_task(write(tmp_path, POINT, made, per_file=2), POINT.name)
    source, seen = RldsDataSource(task), {}
    for shards in (1, 2, 3, 6):  # Dealt by files where there are enough of them, else by records.
        for index in range(shards):
            dealt = source.get_dataset(shuffle=True, seed=index, shard_info=seqio.ShardInfo(index, shards))
            for example in dealt.as_numpy_iterator():
                seen.setdefault(int(example["example_id"]), set()).add(len(example["steps"]["action"]))
    assert seen == {number: {number + 4} for number in range(7)}
    second = source.read_files([str(shard.path) for shard in task.shards["train"][1:]])
    assert [int(example["example_id"]) for example in second.as_numpy_iterator()] == [2, 3, 4, 5, 6]
    assert task.example_name(5) == "chunk-00/control_point-train.tfrecord-00002 record 1"


NUMBERS = TaskSpec(
    "control.numbers",
    (
        ItemSpec("cell", Kind.DISCRETE, (2,), "int64", radix=(5, 3)),
        ItemSpec("mode", Kind.DISCRETE, (), "int64", num_values=4),
        ItemSpec("position", Kind.CONTINUOUS, (2,), "float64"),
    ),
    ItemSpec("action", Kind.DISCRETE, (), "int64", num_values=6),
    100,
)
LAYOUT = TimestepLayout.build(NUMBERS, TokenConfig())
TOKENIZER = TimestepTokenizer(LAYOUT)
TWIN = tf.function(
    lambda observation, action: encode_episode(LAYOUT, {"observation": observation, "action": action})["tokens"],
    autograph=False,
)
integers = st.one_of(st.integers(-1, 6), st.integers(-(2**63), 2**63 - 1))
floats = st.one_of(st.floats(), st.floats(-1, 1))


@settings(max_examples=150, deadline=None)
@given(cell=st.tuples(integers, integers), mode=integers, position=st.tuples(floats, floats), action=integers)
def test_the_twins_refuse_the_same_values(cell, mode, position, action):
    """And where they do not, they give the same tokens."""
    observation = {"cell": np.int64([cell]), "mode": np.int64([mode]), "position": np.float64([position])}
    try:
        encoded = TOKENIZER.encode_observation(observation)["tokens"]
        tokens = np.concatenate([encoded, TOKENIZER.encode_action(np.int64([action]))], axis=1)
    except TimestepError:
        tokens = None
    try:
        twin = TWIN(observation, np.int64([action])).numpy()
    except tf.errors.InvalidArgumentError:
        twin = None
    np.testing.assert_equal(twin, tokens)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.TEXT])
def test_dtypes_of_what_an_agent_sees(kind):
    item = next(item for item in POINT.observation if item.kind is kind)
    spec = TaskSpec("control.one", (item,), POINT.action, 100)
    tokenizer = TimestepTokenizer(TimestepLayout.build(spec, TokenConfig()))
    wrong = recordings.value(item, 1).astype({Kind.CONTINUOUS: "bool"}.get(kind, "float32"))
    with pytest.raises(TimestepError, match=rf"'{item.key}': expected .*, found {wrong.dtype}"):
        tokenizer.encode_observation({item.key: wrong})


def test_the_message():
    text = describe("a.b", "x", "1", "2", episode="e", timestep=0)
    assert text == "task 'a.b', episode 'e', timestep 0, key 'x': expected 1, found 2"
    assert describe("a.b", "x", "1", "2") == "task 'a.b', key 'x': expected 1, found 2"
