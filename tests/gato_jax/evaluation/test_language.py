"""Captions and questions that people wrote, scored with tiny weights."""

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.vision_language import PictureConfig, import_vision_language
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from gato_jax.evaluation.language import score_language, text_bytes
from gato_jax.weights.load import load_weights

TASK = "pictures.squares"


@pytest.fixture(scope="module")
def data(recorded_data, tmp_path_factory):
    """Pictures with two captions each, held out in part, and the text model of the recorded data."""
    out = tmp_path_factory.mktemp("captions")
    pictures = out / "pictures"
    pictures.mkdir()
    for number in range(12):
        Image.new("RGB", (32, 32), (20 * number, 0, 0)).save(pictures / f"{number:02d}.png")
    lines = [
        f"{number:02d}.png\t{text}"
        for number in range(12)
        for text in (f"a red square {number}", "one square of some red")
    ]
    (pictures / "captions.txt").write_text("\n".join(lines))
    import_vision_language(
        pictures, out / "data", TASK, format="image_folder", validation=0.5, pictures=PictureConfig(size=32),
        progress=lambda progress: None,
    )  # fmt: skip
    shutil.copy(recorded_data / "tokenizer.model", out / "data")
    return out / "data"


@pytest.mark.slow
def test_captions_are_compared_with_all_that_people_wrote(tiny_run, data):
    weights = load_weights(tiny_run)
    experiment = weights.experiment
    group = RowGroup((TASK,), windows=1, window_length=64, patches=8)
    mixture = MixtureConfig({TASK: 1.0}, {"pictures": group}, 4)
    experiment = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, mixture=mixture))
    (score,) = score_language(dataclasses.replace(weights, experiment=experiment), [TASK], data=str(data))
    assert score.captions >= 1
    assert score.accuracy is None
    assert score.cider >= 0
    assert 0 <= score.bleu < 60, "untrained"
    assert score.samples[0]["expected"].startswith(("a red square", "one square"))
    assert score.loss > 3


def test_bytes_of_target_tokens(tiny_run):
    text = load_weights(tiny_run).text
    first, second = text.encode("a sentence, and more"), text.encode("another one")
    tokens = np.zeros((1, 1, 2 * 32), np.int32)
    segments = np.zeros_like(tokens)
    for window, (ids, number) in enumerate(((first, 1), (second, 2))):
        tokens[0, 0, 32 * window : 32 * window + len(ids)] = ids
        segments[0, 0, 32 * window : 32 * window + len(ids)] = number
    batches = {"tokens": tokens, "segment_ids": segments, "loss_mask": (segments > 0).astype(np.float32)}
    # Nothing stands before the first token of a document: it is no target.
    expected = sum(len(text.decode(ids).encode()) - text.piece_bytes(ids[0]) for ids in (first, second))
    # SentencePiece puts a space before a text, which decoding leaves out again.
    spaces = sum(text.piece(ids[0]).startswith("\u2581") for ids in (first, second))
    assert text_bytes(text, batches, window=32) == expected + spaces
