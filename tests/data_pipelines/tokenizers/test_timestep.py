"""One timestep per domain as ids, written out, and what the layout promises."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from data_pipelines.errors import TimestepError
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers import images
from data_pipelines.tokenizers.images import ImageFit
from data_pipelines.tokenizers.layout import ActionPositions, TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import TokenType, Vocabulary

ACTION = ItemSpec("action", Kind.CONTINUOUS, (2,))
POINT = TaskSpec(
    "dm_control.point",
    (ItemSpec("position", Kind.CONTINUOUS, (2,)), ItemSpec("velocity", Kind.CONTINUOUS, ())),
    ACTION,
    1000,
)
GRID = TaskSpec(
    "babyai.grid",
    (
        ItemSpec("direction", Kind.DISCRETE, (), "int32", num_values=4),
        ItemSpec("image", Kind.DISCRETE, (1, 2, 3), "int32", radix=(11, 6, 3), num_values=11),
        ItemSpec("mission", Kind.TEXT, (), "str"),
    ),
    ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=7),
    64,
)
SCREEN = TaskSpec(
    "atari.screen",
    (ItemSpec("frame", Kind.IMAGE, (80, 64, 3), "uint8"), ItemSpec("lives", Kind.DISCRETE, (), "int32", num_values=6)),
    ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=18),
    1000,
)


@pytest.fixture(scope="module")
def text(recorded_data):
    return TextTokenizer(recorded_data / "tokenizer.model")


def test_golden_continuous():
    layout = TimestepLayout.build(POINT, TokenConfig())
    tokenizer = TimestepTokenizer(layout)
    encoded = tokenizer.encode_observation({"position": np.array([0.0, 0.1]), "velocity": np.array(-1.0)})
    assert encoded["tokens"].tolist() == [32512, 32632, 32279, 33024]
    assert layout.token_type.tolist() == [2, 2, 2, 3, 4, 4]
    assert layout.observation_position.tolist() == [1, 2, 3, 0, 0, 0]
    assert layout.loss_mask.tolist() == [0, 0, 0, 0, 1, 1]
    assert tokenizer.encode_action(np.array([-1.0, 1.0])).tolist() == [32000, 33023]
    np.testing.assert_allclose(tokenizer.decode_action([32000, 33023]), [-1023 / 1024, 1023 / 1024])


@pytest.mark.parametrize(
    ("pack", "cells"), [(True, [18 + 2 * 3 + 1, 10 * 18 + 5 * 3 + 2]), (False, [1, 2, 1, 10, 5, 2])]
)
def test_golden_grid(text, pack, cells):
    tokens = TokenConfig(Vocabulary(1024), pack_discrete=pack, text_tokens=20)
    layout = TimestepLayout.build(GRID, tokens)
    tokenizer = TimestepTokenizer(layout, text)
    observation = {"direction": np.array(3), "image": np.array([[[1, 2, 1], [10, 5, 2]]]), "mission": "go to the ball"}
    encoded = tokenizer.encode_observation(observation)
    words = text.encode("go to the ball")
    used, rest = len(words), 20 - len(words)
    assert encoded["tokens"].tolist() == [*words, *[0] * rest, 3, *cells, 2048]
    assert encoded["token_type"].tolist() == [*[5] * used, *[0] * rest, 2, *[2] * len(cells), 3]
    assert encoded["segment_ids"].tolist() == [*[1] * used, *[0] * rest, 1, *[1] * len(cells), 1]
    assert encoded["loss_mask"].tolist() == [*[1] * used, *[0] * (rest + len(cells) + 2)]
    places = np.arange(1, 22 + len(cells))
    positions = encoded["observation_position"]
    np.testing.assert_array_equal(positions[:-1], np.where(encoded["segment_ids"][:-1], places, 0))
    assert positions[-1] == 0
    assert (layout.action_low.tolist(), layout.action_high.tolist()) == ([0], [7])
    assert tokenizer.decode_action(np.array([6])) == 6
    assert tokenizer.decode_action(np.array([[6], [0]])).tolist() == [6, 0]


def test_golden_screen():
    layout = TimestepLayout.build(SCREEN, TokenConfig())
    frame = np.zeros((80, 64, 3), np.uint8)
    frame[16:32, 48:] = 200
    encoded = TimestepTokenizer(layout).encode_observation({"frame": frame, "lives": np.array(5)})
    assert layout.length == 20 + 1 + 1 + 1
    assert encoded["tokens"].tolist() == [*[0] * 20, 5, 33024]
    assert encoded["token_type"].tolist() == [*[TokenType.PATCH] * 20, 2, 3]
    assert encoded["patch_slot"].tolist() == list(range(20))
    assert encoded["patch_interval"][7].tolist() == [26, 51, 96, 128]
    assert np.flatnonzero(encoded["patches"].any(axis=1)).tolist() == [7]


def test_a_stack_equals_its_parts(text):
    layout = TimestepLayout.build(GRID, TokenConfig(Vocabulary(1024), text_tokens=20))
    tokenizer = TimestepTokenizer(layout, text)
    rng = np.random.default_rng(0)
    image = np.stack([rng.integers(0, n, (3, 1, 2)) for n in (11, 6, 3)], axis=-1)
    stack = {"direction": np.array([0, 1, 2]), "image": image, "mission": np.array(["go to a key", "key", "a box"])}
    whole = tokenizer.encode_observation(stack)
    for index in range(3):
        part = tokenizer.encode_observation({key: value[index] for key, value in stack.items()})
        for name, values in part.items():
            np.testing.assert_array_equal(whole[name][index], values)


def test_actions_survive_the_round_trip():
    tokenizer = TimestepTokenizer(TimestepLayout.build(POINT, TokenConfig()))
    actions = np.random.default_rng(0).uniform(-1, 1, (100, 2)).astype(np.float32)
    decoded = tokenizer.decode_action(tokenizer.encode_action(actions))
    assert np.abs(decoded - actions).max() <= 1 / 1024
    assert decoded.dtype == np.float32


@pytest.mark.parametrize(("pack", "high"), [(False, [3, 5, 3, 5]), (True, [15, 15])])
def test_each_digit_of_an_action_has_its_own_range(pack, high):
    """What the largest digit may be is illegal for the others: no such action exists."""
    action = ItemSpec("action", Kind.DISCRETE, (2, 2), "int32", radix=(3, 5))
    spec = TaskSpec("a.digits", (ItemSpec("x", Kind.CONTINUOUS, (1,)),), action, 10)
    layout = TimestepLayout.build(spec, TokenConfig(Vocabulary(1024), pack_discrete=pack))
    tokenizer = TimestepTokenizer(layout)
    assert (layout.action_low.tolist(), layout.action_high.tolist()) == ([0] * len(high), high)
    highest = np.array([[2, 4], [2, 4]])
    ids = tokenizer.encode_action(highest)
    np.testing.assert_array_equal(ids, layout.action_high - 1)
    np.testing.assert_array_equal(tokenizer.decode_action(ids), highest)
    for place in range(len(high)):
        with pytest.raises(ValueError, match=r"ids must lie in \["):
            tokenizer.decode_action(ids + (np.arange(len(high)) == place))


def test_messages(text):
    grid = TimestepTokenizer(TimestepLayout.build(GRID, TokenConfig(Vocabulary(1024), text_tokens=3)), text)
    observation = {"direction": np.array(3), "image": np.zeros((1, 2, 3), int), "mission": "go to the purple ball"}
    with pytest.raises(TimestepError, match=r"'babyai.grid', key 'mission'.*text_tokens = 3 tokens.*purple"):
        grid.encode_observation(observation)
    with pytest.raises(TimestepError, match=r"babyai.grid', key 'mission': expected a value.*found \['direction'\]"):
        grid.encode_observation({"direction": np.array(1)})
    with pytest.raises(TimestepError, match=r"'image': expected shape \(1, 2, 3\), found shape \(2, 3\)"):
        grid.encode_observation({**observation, "image": np.zeros((2, 3), int)})
    with pytest.raises(ValueError, match=r"ids must lie in \[0, 7\), found \[9\]"):
        grid.decode_action(np.array([9]))
    with pytest.raises(ValueError, match="text model"):
        TimestepTokenizer(grid.layout)
    wide = TaskSpec("a.wide", (ItemSpec("x", Kind.CONTINUOUS, (600,)),), ACTION, 10)
    with pytest.raises(TimestepError, match=r"'a.wide', key 'x': expected .*max_observation_tokens = 512 .*found 600"):
        TimestepLayout.build(wide, TokenConfig())


@pytest.mark.parametrize(
    ("option", "positions", "rows"),
    [
        (ActionPositions.NONE, [1, 2, 3, 0, 0, 0], 512),
        (ActionPositions.SAME, [1, 2, 3, 0, 513, 513], 513),
        (ActionPositions.LOCAL, [1, 2, 3, 4, 5, 6], 512),
    ],
)
def test_local_positions_of_actions(option, positions, rows):
    tokens = TokenConfig(action_positions=option)
    assert TimestepLayout.build(POINT, tokens).observation_position.tolist() == positions
    assert tokens.local_positions == rows


def test_a_timestep_that_counts_on_must_fit_the_table():
    tokens = TokenConfig(action_positions=ActionPositions.LOCAL, max_observation_tokens=5)
    with pytest.raises(TimestepError, match=r"'position': .*max_observation_tokens = 5 .*found 2, and 6 .*timestep"):
        TimestepLayout.build(POINT, tokens)
    TimestepLayout.build(POINT, dataclasses.replace(tokens, action_positions=ActionPositions.SAME))


def test_gray_images_are_repeated_and_other_channels_refused():
    gray = TaskSpec("a.gray", (ItemSpec("frame", Kind.IMAGE, (20, 33, 1), "uint8"),), ACTION, 10)
    frame = np.random.default_rng(0).integers(0, 256, (20, 33, 1), dtype=np.uint8)
    fields = TimestepTokenizer(TimestepLayout.build(gray, TokenConfig())).encode_observation({"frame": frame})
    np.testing.assert_array_equal(fields["patches"], images.patchify(frame.repeat(3, axis=2)[None])[0])
    four = TaskSpec("a.four", (ItemSpec("frame", Kind.IMAGE, (84, 84, 4), "uint8"),), ACTION, 10)
    with pytest.raises(ValueError, match=r"'frame'.*\(84, 84, 4\); drop an alpha channel, and give stacked gray"):
        TimestepLayout.build(four, TokenConfig())


def test_image_fit_and_separator_loss_are_options():
    odd = TaskSpec("a.odd", (ItemSpec("frame", Kind.IMAGE, (20, 33, 3), "uint8"),), ACTION, 10)
    for fit in ImageFit:
        layout = TimestepLayout.build(odd, TokenConfig(image_fit=fit, separator_loss=True))
        patches = TimestepTokenizer(layout).encode_observation({"frame": np.full((20, 33, 3), 9, np.uint8)})["patches"]
        assert patches.shape == (6, 768)
        assert patches.all() == (fit is ImageFit.RESIZE)
        assert layout.loss_mask[layout.separator_place] == 1


def test_no_tensorflow():
    """What runs on a robot never imports TensorFlow."""
    code = (
        "import sys, data_pipelines.tokenizers.timestep, data_pipelines.tokenizers.image_text, data_pipelines.config\n"
    )
    code += "print([m for m in ('tensorflow', 'jax', 'seqio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
