"""Scores of text, questions and captions on held-out data: loss, bits per byte, right answers, CIDEr and BLEU."""

import base64
import collections
import dataclasses
import io
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.text import TextTokenizer
from gato_jax.agent.generate import Generator
from gato_jax.evaluation import validation
from gato_jax.evaluation.metrics.answers import bits_per_byte, vqa_accuracy
from gato_jax.evaluation.metrics.captions import bleu, cider
from gato_jax.evaluation.results import LanguageScore
from gato_jax.evaluation.statistics import share_interval
from gato_jax.evaluation.validation import ValidationSet
from gato_jax.training.step.spec import group_fields, step_spec
from gato_jax.training.validation.loss import make_evaluation
from gato_jax.weights.weights import Weights

SHOWN_ANSWERS = 8
CAPTION_TOKENS = 24
PROMPT_CHARACTERS = 160


def score_language(weights: Weights, tasks: Sequence[str], *, data: str) -> list[LanguageScore]:
    """Scores of text and question tasks on their validation splits.

    Raises:
      ValidationError: the data could not be read.
    """
    experiment = weights.experiment
    options = experiment.evaluation
    config = dataclasses.replace(experiment.data, directory=data)
    sets = validation.read(
        config, tasks, rows=options.validation_rows, questions=options.questions, texts=options.text_samples
    )
    return [_score(weights, task, sets[task]) for task in tasks]


def _score(weights: Weights, task: str, data: ValidationSet) -> LanguageScore:
    started = time.monotonic()
    mixture = weights.experiment.data.mixture
    group = mixture.groups[mixture.group_of(task)]
    loss, tokens = validation_loss(weights, group, data.batches)
    score: dict[str, Any] = {"task": task, "domain": task.partition(".")[0], "loss": loss, "tokens": tokens}
    generator = Generator(weights)
    if data.texts:
        score["samples"] = _text_samples(generator, data.texts, weights)
        score["bits_per_byte"] = bits_per_byte(
            loss * tokens, text_bytes(weights.text, data.batches, group.window_length)
        )
    elif data.questions:
        score |= _answered(weights, generator, data)
    elif data.pictures:
        score |= _captioned(generator, data)
    return LanguageScore(**score, seconds=time.monotonic() - started)


def _answered(weights: Weights, generator: Generator, data: ValidationSet) -> dict[str, Any]:
    said = _answers(generator, data, data.questions, weights.experiment.evaluation.answer_tokens)
    right = [a.strip().lower() == b.strip().lower() for a, b in zip(said, data.answers, strict=True)]
    interval = share_interval(sum(right), len(right))
    vqa = [vqa_accuracy(answer, people) for answer, people in zip(said, data.references, strict=True)]
    return {
        "accuracy": interval.mean, "low": interval.low, "high": interval.high, "questions": len(right),
        "majority": collections.Counter(data.answers).most_common(1)[0][1] / len(data.answers),
        "vqa_accuracy": float(np.mean(vqa)),
        "samples": _samples(data, data.questions, said, data.answers),
    }  # fmt: skip


def _captioned(generator: Generator, data: ValidationSet) -> dict[str, Any]:
    """Captions are answers without a question, as in training; as many pictures as there may be questions."""
    nothing = [""] * len(data.pictures)
    said = _answers(generator, data, nothing, CAPTION_TOKENS)
    return {
        "cider": cider(said, data.references), "bleu": bleu(said, data.references), "captions": len(said),
        "samples": _samples(data, nothing, said, [texts[0] for texts in data.references]),
    }  # fmt: skip


def _samples(
    data: ValidationSet, prompts: Sequence[str], said: Sequence[str], expected: Sequence[str]
) -> list[dict[str, str]]:
    """The first few, for the report."""
    rows = zip(prompts[:SHOWN_ANSWERS], said, expected, data.pictures, strict=False)
    return [
        {"prompt": prompt, "said": text, "expected": truth, "picture": _png(picture)}
        for prompt, text, truth, picture in rows
    ]


def text_bytes(text: TextTokenizer, batches: Mapping[str, np.ndarray], window: int) -> int:
    """Bytes of UTF-8 that the target tokens of text rows stand for: those with one of their own document before them.

    Args:
      text: the SentencePiece model.
      batches: [batches, rows, ...] by field of the training example.
      window: places of a window.
    """
    fold = {name: batches[name].reshape(-1, window) for name in ("tokens", "loss_mask", "segment_ids")}
    segments = fold["segment_ids"]
    is_target = (fold["loss_mask"][:, 1:] > 0) & (segments[:, 1:] > 0) & (segments[:, 1:] == segments[:, :-1])
    ids, counts = np.unique(fold["tokens"][:, 1:][is_target], return_counts=True)
    return int(sum(count * text.piece_bytes(int(token)) for token, count in zip(ids, counts, strict=True)))


def validation_loss(weights: Weights, group: RowGroup, batches: Mapping[str, np.ndarray]) -> tuple[float, int]:
    """Mean negative log-likelihood per target token, in nats, and the number of targets.

    Plain cross-entropy whatever the training loss was, so that runs compare.

    Args:
      batches: [batches, rows, ...] by field of the training example.
    """
    evaluate = make_evaluation(step_spec(weights.experiment), group)
    sums = [
        evaluate(weights.parameters, {name: batches[name][index] for name in group_fields(group)})
        for index in range(len(batches["tokens"]))
    ]
    targets = sum(int(one["targets"]) for one in sums)
    return sum(float(one["loss"]) for one in sums) / max(targets, 1), targets


def _answers(generator: Generator, data: ValidationSet, questions: Sequence[str], tokens: int) -> list[str]:
    """Answers in the order of the pictures; pictures of one size are shown together."""
    said = [""] * len(data.pictures)
    shapes = [picture.shape for picture in data.pictures]
    for shape in sorted(set(shapes)):
        chosen = [index for index, other in enumerate(shapes) if other == shape]
        pictures = np.stack([data.pictures[index] for index in chosen])
        answers = generator.answer(pictures, [questions[index] for index in chosen], tokens=tokens)
        for index, answer in zip(chosen, answers, strict=True):
            said[index] = answer
    return said


def _text_samples(generator: Generator, texts: Sequence[str], weights: Weights) -> list[dict[str, str]]:
    options = weights.experiment.evaluation
    prompts = [text[:PROMPT_CHARACTERS].rsplit(" ", 1)[0] for text in texts]
    said = generator.continue_text(
        prompts, tokens=options.text_tokens, temperature=options.text_temperature, seed=options.seed
    )
    return [{"prompt": prompt, "said": text} for prompt, text in zip(prompts, said, strict=True)]


def _png(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
