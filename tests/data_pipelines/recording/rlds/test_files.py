"""The RLDS files are those of EnvLogger 1.2: what it wrote is read, written again and compared."""

import importlib.util
import pathlib

import dm_env
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.recording.rlds.files import RldsFiles
from data_pipelines.recording.writers import VERSION

COMPATIBILITY = pathlib.Path(__file__).parents[3] / "compatibility"
EPISODE_FIELDS = ("seed", "episode_return", "noise")


def frozen_data():
    """Test directories are no packages, so the module is loaded by its path."""
    spec = importlib.util.spec_from_file_location("frozen_data", COMPATIBILITY / "frozen_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Episodes that EnvLogger 1.2 wrote on Python 3.11 (tests/compatibility/make_data.py)."""
    root = tmp_path_factory.mktemp("frozen")
    frozen_data().unpack(root, ["recorded"])
    return root / "recorded"


def config_of(builder):
    """`DatasetConfig` of a recorded data set."""
    features = builder.info.features
    steps = features["steps"]
    return tfds.rlds.rlds_base.DatasetConfig(
        name=builder.info.name,
        observation_info={key: steps["observation"][key] for key in steps["observation"]},
        action_info=steps["action"],
        reward_info=steps["reward"],
        discount_info=steps["discount"],
        step_metadata_info={"expert_action": steps["expert_action"]},
        episode_metadata_info={key: features[key] for key in EPISODE_FIELDS},
    )


def write_again(builder, files):
    """Every episode, timestep by timestep, as EnvLogger sees them."""
    for episode in tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False)):
        previous = None
        for step in episode["steps"]:
            first, last = bool(step["is_first"]), bool(step["is_last"])
            kind = dm_env.StepType.FIRST if first else dm_env.StepType.LAST if last else dm_env.StepType.MID
            reward, discount = (None, None) if first else (previous["reward"], previous["discount"])
            timestep = dm_env.TimeStep(kind, reward, discount, step["observation"])
            label = {"expert_action": step["expert_action"]}
            files.add(timestep, None if first else previous["action"], label, first=first)
            files.describe({key: episode[key] for key in EPISODE_FIELDS})
            previous = step
    files.close()


def records(path):
    """Examples of a file as {feature: values}; their bytes may differ, because a protocol buffer's map has no order."""
    examples = map(tf.train.Example.FromString, tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    return [{key: example.features.feature[key] for key in example.features.feature} for example in examples]


def assert_equal_directories(left, right):
    names = sorted(path.name for path in left.iterdir() if path.name != "chunk.json")
    assert sorted(path.name for path in right.iterdir()) == names
    assert len(names) >= 3  # Two descriptions, and records.
    for name in names:
        if name.endswith(".json"):
            assert (right / name).read_text() == (left / name).read_text()
        else:
            assert len(records(left / name)) > 0
            assert records(right / name) == records(left / name)


@pytest.mark.parametrize("task", ["babyai.go_to_obj", "metaworld.drawer_close"])
def test_the_files_are_those_that_envlogger_1_2_wrote(recorded, tmp_path, task):
    for chunk in sorted((recorded / task).glob("chunk-*")):
        builder = tfds.builder_from_directory(chunk)
        longest = max(builder.info.splits["train"].shard_lengths)
        again = tmp_path / chunk.name
        again.mkdir()
        write_again(
            builder, RldsFiles(again, config_of(builder), split="train", episodes_per_file=longest, version=VERSION)
        )
        assert_equal_directories(chunk, again)


def test_envlogger_1_2_writes_the_same_of_pictures_texts_and_shards(tmp_path):
    """Side by side, where its writer is: the frozen episodes have no pictures."""
    backend = pytest.importorskip(
        "envlogger.backends.tfds_backend_writer", reason="EnvLogger 1.2 alone has it", exc_type=ImportError
    )
    step_data = pytest.importorskip("envlogger").StepData
    config = tfds.rlds.rlds_base.DatasetConfig(
        name="toy",
        observation_info={
            "frame": tfds.features.Image(shape=(8, 6, 3), dtype=np.uint8, encoding_format="png"),
            "inner": {"mission": tfds.features.Text(), "x": tfds.features.Tensor(shape=(2,), dtype=np.float32)},
        },
        action_info=tfds.features.Tensor(shape=(2,), dtype=np.float32),
        reward_info=np.float32,
        discount_info=np.float32,
        step_metadata_info={"label": tfds.features.Tensor(shape=(), dtype=np.int64)},
        episode_metadata_info={"seed": tfds.features.Tensor(shape=(), dtype=np.int64)},
    )
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    writer = backend.TFDSBackendWriter(
        str(theirs), config, max_episodes_per_file=2, split_name="train", version=VERSION
    )
    files = RldsFiles(ours, config, split="train", episodes_per_file=2, version=VERSION)
    rng = np.random.default_rng(0)
    for seed, steps in enumerate((3, 1, 4)):
        for index in range(steps + 1):
            inner = {"mission": f"go {index}, café", "x": rng.normal(size=2).astype(np.float32)}
            observation = {"frame": rng.integers(0, 256, (8, 6, 3), dtype=np.uint8), "inner": inner}
            kind, discount = (dm_env.StepType.LAST, 0.0) if index == steps else (dm_env.StepType.MID, 1.0)
            timestep = dm_env.TimeStep(kind, np.float32(rng.normal()), np.float32(discount), observation)
            timestep = timestep if index else dm_env.restart(observation)
            action, label = (rng.normal(size=2).astype(np.float32), {"label": index}) if index else (None, {"label": 0})
            writer.record_step(step_data(timestep, action, label), is_new_episode=not index)
            writer.set_episode_metadata({"seed": seed})
            files.add(timestep, action, label, first=not index)
            files.describe({"seed": seed})
    writer.close()
    files.close()
    assert len(list(ours.glob("*.tfrecord-*"))) == 2
    assert_equal_directories(theirs, ours)


def toy_files(directory):
    config = tfds.rlds.rlds_base.DatasetConfig(
        name="toy",
        observation_info={"x": tfds.features.Tensor(shape=(), dtype=np.float32)},
        action_info=tfds.features.Tensor(shape=(), dtype=np.int64),
        reward_info=np.float32,
        discount_info=np.float32,
    )
    return RldsFiles(directory, config, split="train", episodes_per_file=2, version=VERSION)


def add_episode(files, steps, *, discount=1.0):
    files.add(dm_env.restart({"x": 0.0}), None, {}, first=True)
    for step in range(1, steps + 1):
        kind, after = (dm_env.StepType.LAST, discount) if step == steps else (dm_env.StepType.MID, 1.0)
        timestep = dm_env.TimeStep(kind, np.float32(1 + (step == steps)), np.float32(after), {"x": float(step)})
        files.add(timestep, np.int64(step), {}, first=False)


def test_steps_are_shifted_as_rlds_says_and_shards_are_full(tmp_path):
    files = toy_files(tmp_path)
    for steps in (2, 3, 4):
        add_episode(files, steps, discount=float(steps == 4))
    files.close()
    files.close()
    builder = tfds.builder_from_directory(tmp_path)
    assert builder.info.splits["train"].shard_lengths == [2, 1]
    episodes = [list(episode["steps"]) for episode in tfds.as_numpy(builder.as_dataset(split="train"))]
    assert [len(steps) for steps in episodes] == [3, 4, 5]
    columns = {key: [step[key].item() for step in episodes[0]] for key in episodes[0][0] if key != "observation"}
    assert columns == {
        "action": [1, 2, 0],
        "reward": [1.0, 2.0, 0.0],
        "discount": [1.0, 0.0, 0.0],
        "is_first": [True, False, False],
        "is_last": [False, False, True],
        "is_terminal": [False, False, True],
    }
    assert not episodes[2][-1]["is_terminal"]


def test_an_episode_without_an_action_is_an_error(tmp_path):
    files = toy_files(tmp_path)
    files.add(dm_env.restart({"x": 0.0}), None, {}, first=True)
    with pytest.raises(ValueError, match="needs an action"):
        files.close()
