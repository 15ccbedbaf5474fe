"""One recorded timestep per domain as ids, checked in as tables that a person can read: what must not drift.

Rewrite them, and read the difference, after a change that is meant:

    GATO_REWRITE_GOLDENS=1 python -m pytest tests/data_pipelines/test_goldens.py && git diff
"""

import json
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.sequences.documents import document_windows
from data_pipelines.sequences.windows import PLACES, WindowFormat
from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.tokenizers.image_text import ImageTextTokenizer
from data_pipelines.tokenizers.images import patch_intervals, patchify
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.reading import Meaning, Reader, timestep_meanings
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.tokenizers.tf.text import TfTextTokenizer
from data_pipelines.tokenizers.tf.timestep import encode_episode
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import TokenType

GOLDENS = pathlib.Path(__file__).with_name("goldens")
INPUTS = json.loads((GOLDENS / "inputs.json").read_text())
TOKENS = TokenConfig()
TEXT = TextTokenizer(resolve_text_model("package:mistral_common/data/tokenizer.model.v1"))
READER = Reader(TOKENS, TEXT)
CONTROL = [name for name in INPUTS if "." in name]


def picture(text):
    """ "32 x 48 picture, seed 2" as pixels: no library's randomness and no decoder, so that nothing can drift."""
    height, _, width, _, _, seed = text.replace(",", "").split()
    row, column, channel = np.ogrid[: int(height), : int(width), :3]
    return ((7 * row + 13 * column + 31 * channel + 40 * int(seed)) % 256).astype(np.uint8)


def table(title, rows):
    """Text from (place, type, id, local position, loss, meaning)."""
    lines = [f"# {title}", f"{'place':>5}  {'type':<11}  {'id':>5}  {'local':>5}  {'loss':>4}  meaning"]
    for place, (kind, token, local, loss, meaning) in enumerate(rows):
        name = TokenType(kind).name.lower()
        id_ = "-" if kind in (TokenType.PATCH, TokenType.PADDING) else str(token)
        lines.append(
            f"{place:>5}  {name:<11}  {id_:>5}  {local or '-':>5}  {'yes' if loss else '-':>4}  {meaning}".rstrip()
        )
    return "\n".join(lines) + "\n"


def compare(name, text):
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("GATO_REWRITE_GOLDENS"):
        path.write_text(text)
    assert path.exists(), f"no {path}; the command in this file's docstring writes it"
    assert text == path.read_text()


def observed(name):
    spec = TaskSpec.from_json(json.dumps(INPUTS[name]["spec"]))
    values = INPUTS[name]["observation"]
    return spec, {
        item.key: picture(values[item.key])
        if item.kind is Kind.IMAGE
        else np.asarray(values[item.key], None if item.kind is Kind.TEXT else item.dtype)
        for item in spec.observation
    }


def patch_texts(fields):
    """What each patch covers of its image, and its first pixel."""
    for interval, patch in zip(fields["patch_interval"].tolist(), fields["patches"], strict=True):
        top, bottom, left, right = interval
        rgb = patch[:3].tolist()
        yield f": rows {top} to {bottom}, columns {left} to {right} of 128; first pixel {rgb}"


def encoded(layout, observation, action):
    """tokens, token_type, local positions, loss of the whole timestep; padding has type 0."""
    tokenizer = TimestepTokenizer(layout, TEXT)
    fields = tokenizer.encode_observation(observation)
    count = layout.action.size
    return (
        np.concatenate([fields["tokens"], tokenizer.encode_action(action)]),
        np.concatenate([fields["token_type"], [TokenType.ACTION] * count]),
        np.concatenate([fields["observation_position"], layout.action_position]),
        np.concatenate([fields["loss_mask"], layout.loss_mask[layout.action.slice]]),
    )


@pytest.mark.parametrize("name", CONTROL)
def test_control(name):
    spec, observation = observed(name)
    layout = TimestepLayout.build(spec, TOKENS)
    action = np.asarray(INPUTS[name]["action"], spec.action.dtype)
    tokens, kinds, local, loss = encoded(layout, observation, action)
    rows, covers = [], iter(patch_texts(TimestepTokenizer(layout, TEXT).encode_observation(observation)))
    for place, meaning in enumerate(timestep_meanings(layout)):
        value = READER.value(int(tokens[place]), int(kinds[place]), meaning.item)
        text = f"{meaning.name} = {value}" if meaning.item and value else meaning.name
        if kinds[place] == TokenType.PATCH:
            text += next(covers)
        elif not kinds[place]:
            text = "unused place of a text"
        rows.append((kinds[place], tokens[place], local[place], loss[place], text))
    timestep = INPUTS[name]["timestep"]
    source = "a synthesised frame" if layout.patches else f"timestep {timestep} of a recorded episode"
    compare(name, table(f"{name}: {source}", rows))


@pytest.mark.parametrize("name", CONTROL)
def test_the_twin_gives_the_same_ids(name):
    spec, observation = observed(name)
    layout = TimestepLayout.build(spec, TOKENS)
    action = np.asarray(INPUTS[name]["action"], spec.action.dtype)
    tokens, kinds, _, _ = encoded(layout, observation, action)
    images = {item.key for item in spec.observation if item.kind is Kind.IMAGE}
    steps = {
        key: tf.io.encode_png(value)[None] if key in images else tf.convert_to_tensor(value)[None]
        for key, value in observation.items()
    }
    twin = encode_episode(layout, {"observation": steps, "action": action[None]}, TfTextTokenizer(TEXT))
    np.testing.assert_array_equal(twin["tokens"][0], np.where(kinds > 0, tokens, -1))


def words(tokens, kinds, local, loss, patches=()):
    """Rows of text and patches; `patches` names the latter in order."""
    names = iter(patches)
    for token, kind, position, carries in zip(tokens, kinds, local, loss, strict=True):
        if kind == TokenType.PATCH:
            yield kind, token, position, carries, next(names)
        else:
            yield kind, token, position, carries, READER.value(int(token), TokenType.TEXT)


def patch_names(image, name, fields):
    columns = image.shape[1] // 16
    return [f"{name} patch {i // columns}, {i % columns}{text}" for i, text in enumerate(patch_texts(fields))]


@pytest.mark.parametrize("name", ["vqa", "captions"])
def test_pictures_with_text(name):
    inputs = INPUTS[name]
    image = picture(inputs["image"])
    question, answer = inputs.get("question", ""), inputs.get("answer", inputs.get("caption"))
    pair = ImageTextTokenizer(TOKENS, TEXT).encode_pair(image, question, answer)
    loss = pair["token_type"] == TokenType.TEXT
    columns = (pair["tokens"], pair["token_type"], pair["observation_position"], loss)
    title = f"{name}: {question!r} {answer!r}" if question else f"{name}: {answer!r}"
    compare(name, table(title, words(*columns, patch_names(image, "image", pair))))


def test_text():
    ids = [*TEXT.encode(INPUTS["text"]["text"]), TEXT.eos]
    np.testing.assert_array_equal(TfTextTokenizer(TEXT).encode([INPUTS["text"]["text"]])[0], ids[:-1])
    ones, none = np.ones(len(ids), int), np.zeros(len(ids), int)
    compare("text", table(f"text: {INPUTS['text']['text']!r}", words(ids, ones * TokenType.TEXT, none, ones)))


def test_documents():
    inputs = INPUTS["documents"]
    pictures = [picture(text) for text in inputs["images"]]
    example = {
        "texts": inputs["texts"],
        "images": [tf.io.encode_png(image).numpy() for image in pictures],
        "sizes": [image.shape[:2] for image in pictures],
    }
    shapes = {
        "texts": tf.TensorSpec([None], tf.string),
        "images": tf.TensorSpec([None], tf.string),
        "sizes": tf.TensorSpec([None, 2], tf.int32),
    }
    segments = document_windows(
        tf.data.Dataset.from_generator(lambda: iter([example]), output_signature=shapes),
        text=TfTextTokenizer(TEXT),
        shape=WindowFormat(task_id=0, length=64, frames=4, frame_patches=4),
        images=4,
        patches=16,
        seed=None,
    )
    (segment,) = segments.as_numpy_iterator()
    rows = dict(zip(PLACES, segment["places"], strict=True))
    used = rows["token_type"] > 0
    columns = [rows[name][used] for name in ("tokens", "token_type", "observation_position", "loss_mask")]
    names = []
    for number, image in enumerate(pictures):
        fields = {"patches": patchify(image[None])[0], "patch_interval": patch_intervals(*image.shape[:2])}
        names += patch_names(image, f"image {number}", fields)
    compare("documents", table(f"documents: {inputs['texts']}, a picture between each", words(*columns, names)))


def test_meanings_cover_every_place():
    for name in CONTROL:
        layout = TimestepLayout.build(observed(name)[0], TOKENS)
        assert len(timestep_meanings(layout)) == layout.length
        assert timestep_meanings(layout)[layout.separator_place] == Meaning("separator", None)
