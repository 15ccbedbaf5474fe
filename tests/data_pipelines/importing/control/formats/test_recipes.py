"""Recipes name what exists, belong to rows of Table 1, and read small builders with the features of the real ones."""

import fnmatch
import inspect
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.robotics.rtx import rtx

from data_pipelines.importing.check import check_data
from data_pipelines.importing.control import (
    ActionRange,
    Channels,
    ControlOptions,
    LastStep,
    SourceError,
    import_data,
    open_source,
)
from data_pipelines.importing.control.formats.recipes import RECIPES
from data_pipelines.mixtures.table1 import CONTROL
from data_pipelines.recording.writers import ExampleWriter
from data_pipelines.spec import Kind
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.tokenizers.images import patchify
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig

F = tfds.features


def vector(size, dtype=np.float32, **options):
    return F.Tensor(shape=(size,), dtype=dtype, **options)


def image(*shape):
    return F.Image(shape=shape, dtype=np.uint8)


# Step features of the builders in TFDS 4.9.10, with small pictures.
BUILDERS = {
    "rlu_atari": {"observation": image(84, 84, 1), "action": np.int64, "reward": np.float32},
    "rlu_dmlab_seekavoid_arena01": {
        "observation": {"pixels": image(72, 96, 3), "last_action": np.int64, "last_reward": np.float32},
        "action": np.int64, "reward": np.float32,
    },
    "rlu_control_suite": {
        "observation": {"position": vector(3), "velocity": vector(2)}, "action": vector(1), "reward": np.float32,
    },
    "rlu_locomotion": {
        "observation": {"walker": {"joints_pos": vector(30), "egocentric_camera": image(64, 64, 3)}},
        "action": vector(38), "reward": np.float32,
    },
    "rlu_rwrl": {"observation": {"position": vector(3)}, "action": vector(1), "reward": np.float32},
    "d4rl_mujoco_hopper": {
        "observation": vector(11), "action": vector(3), "reward": np.float32, "infos": {"qpos": vector(6)},
    },
    "d4rl_adroit_pen": {"observation": vector(45), "action": vector(24), "reward": np.float32},
    "robomimic_ph": {
        "observation": {"object": vector(10, np.float64), "robot0_eef_pos": vector(3, np.float64)},
        "action": vector(7, np.float64), "reward": np.float64,
    },
    "mt_opt": {
        "observation": {
            "image": image(32, 48, 3), "gripper_closed": np.bool_, "height_to_bottom": np.float32,
            "state_dense": vector(7, encoding=F.Encoding.ZLIB),
        },
        "action": {
            "target_pose": vector(7, encoding=F.Encoding.ZLIB), "close_gripper": np.bool_, "open_gripper": np.bool_,
            "terminate": np.bool_,
        },
    },
    "fractal20220817_data": {
        "observation": {
            "image": image(32, 48, 3), "natural_language_instruction": F.Text(),
            "natural_language_embedding": vector(512), "base_pose_tool_reached": vector(7),
        },
        "action": {
            "world_vector": vector(3), "rotation_delta": vector(3), "gripper_closedness_action": vector(1),
            "terminate_episode": vector(3, np.int32),
        },
        "reward": np.float32,
    },
    "jaco_play": {
        "observation": {
            "image": image(32, 48, 3), "end_effector_cartesian_pos": vector(7),
            "natural_language_embedding": vector(512),
        },
        "action": {"world_vector": vector(3), "gripper_closedness_action": vector(1)},
        "language_instruction": F.Text(),
        "reward": np.float32,
    },
}  # fmt: skip

EXPECTED = {
    "rlu_atari": ({"image": (84, 84, 3)}, Kind.DISCRETE, ()),
    "rlu_dmlab_seekavoid_arena01": ({"image": (72, 96, 3)}, Kind.DISCRETE, ()),
    "rlu_control_suite": ({"position": (3,), "velocity": (2,)}, Kind.CONTINUOUS, (1,)),
    "rlu_locomotion": (
        {"walker/egocentric_camera": (64, 64, 3), "walker/joints_pos": (30,)}, Kind.CONTINUOUS, (38,),
    ),
    "rlu_rwrl": ({"position": (3,)}, Kind.CONTINUOUS, (1,)),
    "d4rl_mujoco_hopper": ({"state": (11,)}, Kind.CONTINUOUS, (3,)),
    "d4rl_adroit_pen": ({"state": (45,)}, Kind.CONTINUOUS, (24,)),
    "robomimic_ph": ({"object": (10,), "robot0_eef_pos": (3,)}, Kind.CONTINUOUS, (7,)),
    "mt_opt": ({"gripper_closed": (), "height_to_bottom": (), "image": (32, 48, 3)}, Kind.CONTINUOUS, (10,)),
    "fractal20220817_data": ({"image": (32, 48, 3), "instruction": ()}, Kind.CONTINUOUS, (7,)),
    "jaco_play": (
        {"end_effector_cartesian_pos": (7,), "image": (32, 48, 3), "instruction": ()}, Kind.CONTINUOUS, (4,),
    ),
}  # fmt: skip


def values(feature, steps, rng):
    """Random values of a TFDS feature, for each step."""
    if isinstance(feature, dict):
        return {key: values(inner, steps, rng) for key, inner in feature.items()}
    if isinstance(feature, F.Text):
        return ["pick the can"] * steps
    shape, dtype = ((), feature) if isinstance(feature, type) else (feature.shape, feature.np_dtype)
    if isinstance(feature, F.Image):
        return list(rng.integers(0, 256, (steps, *shape), dtype=np.uint8))
    if np.issubdtype(dtype, np.floating):
        return rng.uniform(-1, 1, (steps, *shape)).astype(dtype)
    return rng.integers(0, 2, (steps, *shape)).astype(dtype)


def write(path, name, steps=5, episodes=3, builder=None):
    builder = builder or BUILDERS[name]
    rng = np.random.default_rng(0)
    flags = {"is_first": np.bool_, "is_last": np.bool_, "is_terminal": np.bool_}
    features = {"steps": F.Dataset({**builder, **flags}), "episode_id": np.int64}
    index = np.arange(steps)
    examples = []
    for number in range(episodes):
        step_values = values(builder, steps, rng)
        step_values |= {"is_first": index == 0, "is_last": index == steps - 1, "is_terminal": np.zeros(steps, bool)}
        examples.append({"steps": step_values, "episode_id": 0 if name == "rlu_atari" else number})
    with ExampleWriter(path, name=name, features=features, splits=("train",)) as writer:
        writer.write("train", examples)
    return examples


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_a_builder_with_these_features(tmp_path, name):
    examples = write(tmp_path / "source", name)
    summary = import_data(
        tmp_path / "source", tmp_path / "data", "toy.task", format="rlds", progress=lambda progress: None
    )
    assert any(note.startswith("recipe ") for note in summary.notes)
    assert summary.counts["train"] == len(examples)
    assert summary.steps == 4 * len(examples)
    spec = read_task(tmp_path / "data", "toy.task").spec
    observation, kind, shape = EXPECTED[name]
    assert {item.key: item.shape for item in spec.observation} == observation
    assert (spec.action.kind, spec.action.shape) == (kind, shape)


def test_frames_of_mt_opt_fit_the_window_once_they_are_scaled(tmp_path, batches):
    """Its real size, 512x640 pixels, is 1,280 patches."""
    builder = {**BUILDERS["mt_opt"]}
    builder["observation"] = {**builder["observation"], "image": image(512, 640, 3)}
    examples = write(tmp_path / "source", "mt_opt", steps=4, episodes=2, builder=builder)
    whole = check_data(tmp_path / "source", format="rlds")
    assert whole.errors == 1
    assert "-> smaller pictures (--frame-size)" in whole.text()
    options = ControlOptions(frame_size=(224, 320))
    assert check_data(tmp_path / "source", format="rlds", options=options).errors == 0
    summary = import_data(
        tmp_path / "source", tmp_path / "data", "robot.mt_opt", format="rlds", options=options,
        progress=lambda progress: None,
    )  # fmt: skip
    note = "frames of 512x640 pixels are scaled to 224x320, 280 patches; the aspect is not kept"
    assert f"note: 'image': {note}" in summary.notes
    # 280 patches, two values of the gripper, the separator, ten numbers of the action.
    layout = TimestepLayout.build(read_task(tmp_path / "data", "robot.mt_opt").spec, TokenConfig())
    assert (layout.patches, layout.length) == (280, 293)
    # Frames of the last steps are no observations of an action.
    expected = np.concatenate(
        [
            patchify(np.asarray(Image.fromarray(frame).resize((320, 224), Image.Resampling.BICUBIC))[None])[0]
            for example in examples
            for frame in example["steps"]["observation"]["image"][:-1]
        ]
    )
    recorded_patches = {patch.tobytes() for patch in expected}
    streamed_patches = set()
    for batch in batches(tmp_path / "data", "robot.mt_opt", window_length=1024, patches=840):
        used = batch["patch_slot"] < 1024
        streamed_patches |= {patch.tobytes() for patch in batch["patches"][used]}
        assert used.any()
        assert batch["loss_mask"].sum() % 10 == 0
        assert batch["loss_mask"].any()
    assert len(streamed_patches) >= 2 * 280
    assert streamed_patches <= recorded_patches


def test_compressed_tensors_are_unpacked(tmp_path):
    examples = write(tmp_path / "source", "mt_opt")
    options = ControlOptions(observation={"state": "observation/state_dense"})
    reader = open_source(tmp_path / "source", "rlds", options)
    for raw, example in zip(
        reader.episodes(0, frozenset({"observation/state_dense", "action/target_pose"})), examples, strict=True
    ):
        np.testing.assert_array_equal(
            raw.columns["observation/state_dense"], example["steps"]["observation"]["state_dense"]
        )
        np.testing.assert_array_equal(raw.columns["action/target_pose"], example["steps"]["action"]["target_pose"])


def test_choosing_a_recipe(tmp_path):
    write(tmp_path / "source", "rlu_control_suite")

    def opened(**options):
        return open_source(tmp_path / "source", "rlds", ControlOptions(**options))

    assert opened().layout.last_step is LastStep.DUMMY
    assert opened(recipe="none").layout.last_step is LastStep.AUTO
    assert not opened(recipe="none").notes
    with pytest.raises(SourceError, match=r"no recipe 'rlu'; expected auto, none or one of \['d4rl'"):
        opened(recipe="rlu")
    with pytest.raises(SourceError, match=r"recipe 'rlu_dmlab': no columns \['observation/pixels'\], found"):
        opened(recipe="rlu_dmlab")
    assert ControlOptions(channels=Channels.RGB, action_range=ActionRange.DATA).recipe == "auto"


def test_recipes_name_builders_that_exist():
    open_x = set(re.findall(r"return '(\w+)/\d+\.\d+\.\d+'", inspect.getsource(rtx)))
    assert len(open_x) == 64
    builders = open_x | set(tfds.list_builders()) | {"language_table", "droid"}  # The last two came after 4.9.10.
    for name, recipe in RECIPES.items():
        for pattern in recipe.builders:
            assert fnmatch.filter(builders, pattern), (name, pattern)
    patterns = [pattern for recipe in RECIPES.values() for pattern in recipe.builders]
    assert not [name for name in open_x if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def test_recipes_belong_to_rows_of_table_1():
    rows = {row.name: row for row in CONTROL}
    places = {
        "atari.<game>": "atari.pong", "dmlab.<level>": "dmlab.rooms_watermaze",
        "dm_control.<domain>_<task>": "dm_control.manipulator_insert_peg",
        "dm_control_random_small.<task>_<challenge>": "dm_control_random_small.quadruped_walk_hard",
        "modular_rl.d4rl_<body>_<quality>": "modular_rl.d4rl_hopper_medium",
    }  # fmt: skip
    for name, recipe in RECIPES.items():
        assert "." in recipe.task, name
        task = places.get(recipe.task, recipe.task)
        if recipe.row:
            assert rows[recipe.row].holds(task), name
        else:
            assert not any(row.holds(task) for row in CONTROL), name
