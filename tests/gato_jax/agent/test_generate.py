"""Text generation: equal to recomputation whatever stands beside it in the batch."""

import dataclasses
import importlib.util
import pathlib

import jax
import numpy as np
import pytest

from data_pipelines.tokenizers import images
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.tokenizers.text import resolve_text_model
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.agent.generate import Generator
from gato_jax.config import Positions
from gato_jax.model.gato import init_parameters
from gato_jax.weights.weights import Weights

_file = importlib.util.spec_from_file_location("recomputation", pathlib.Path(__file__).with_name("recomputation.py"))
recomputation = importlib.util.module_from_spec(_file)
_file.loader.exec_module(recomputation)

PACKAGED = "package:mistral_common/data/tokenizer.model.v1"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mistral_common") is None, reason="needs mistral_common's text model"
)


@pytest.fixture(scope="module", params=[Positions.TRANSFORMER_XL, Positions.LEARNED])
def weights(request, tiny):
    vocabulary = Vocabulary(32_000)
    experiment = tiny.tiny_experiment(
        model=tiny.tiny_model(positions=request.param, embedding_scale=0.5, max_length=64)
    )
    data = dataclasses.replace(experiment.data, tokens=TokenConfig(vocabulary, text_model=PACKAGED))
    experiment = dataclasses.replace(experiment, data=data)
    parameters = init_parameters(experiment.model, vocabulary, key=jax.random.key(1))
    return Weights(experiment, parameters, text_model=str(resolve_text_model(PACKAGED)))


LENGTH = 40


def greedy_by_recomputation(weights, ids, count, *, pictures=None):
    experiment, text = weights.experiment, weights.text
    ids, said = list(ids), []
    patches = 0 if pictures is None else 16
    for _ in range(count):
        end = patches + len(ids)
        fields = {
            "tokens": np.asarray([[0] * patches + ids], np.int32),
            "token_type": np.asarray([[TokenType.PATCH] * patches + [TokenType.TEXT] * len(ids)], np.int32),
            "positions": np.arange(end, dtype=np.int32)[None],
            "segment_ids": np.ones((1, end), np.int32),
            "observation_position": np.arange(1, end + 1, dtype=np.int32)[None] * (pictures is not None),
        }
        fields = recomputation.pad(fields, LENGTH)
        if pictures is not None:
            fields["patches"] = images.patchify(pictures)
            fields["patch_slot"] = np.arange(16, dtype=np.int32)[None]
            fields["patch_interval"] = images.patch_intervals(64, 64)[None]
        logits = recomputation.recompute(
            weights.parameters, fields, config=experiment.model, vocabulary=experiment.data.tokens.vocabulary
        )
        token = int(np.asarray(logits[0, end - 1, : text.size]).argmax())
        if token == text.eos:
            break
        ids.append(token)
        said.append(token)
    return text.decode(said)


def test_answers_equal_recomputation_beside_longer_questions(weights):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    questions = ["what?", "which colour does the large shape have?", "is it red?"]
    answers = Generator(weights).answer(pictures, questions, tokens=3, batch=2)
    for i, question in enumerate(questions):
        expected = greedy_by_recomputation(weights, weights.text.encode(question), 3, pictures=pictures[i : i + 1])
        assert answers[i] == expected


def test_greedy_continuation_equals_recomputation(weights):
    texts = ["The house", "A sentence that is quite a bit longer"]
    weights = dataclasses.replace(weights)
    generator = Generator(weights)
    generator._window = lambda: 32
    continuations = generator.continue_text(texts, tokens=4, temperature=None)
    for text, said in zip(texts, continuations, strict=True):
        assert said == greedy_by_recomputation(weights, weights.text.encode(text), 4)


def test_sampling_repeats_for_a_seed(weights):
    generator = Generator(weights)
    generator._window = lambda: 32
    draws = [generator.continue_text(["The house"], tokens=6, temperature=3.0, seed=seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_what_cannot_be_generated_is_an_error(weights):
    generator = Generator(weights)
    with pytest.raises(ValueError, match="does not fit the window"):
        generator.continue_text(["a"], tokens=2000)
    with pytest.raises(ValueError, match="one picture per question"):
        generator.answer(np.zeros((1, 64, 64, 3), np.uint8), ["a", "b"])
    with pytest.raises(FileNotFoundError, match="text model"):
        Generator(dataclasses.replace(weights, text_model=""))
