"""Validation loss of text and question tasks, and the share of right answers."""

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
from gato_jax.agent.generate import Generator
from gato_jax.evaluation import validation
from gato_jax.evaluation.results import LanguageScore
from gato_jax.evaluation.statistics import share_interval
from gato_jax.evaluation.validation import ValidationSet
from gato_jax.training.step.spec import group_fields, step_spec
from gato_jax.training.validation.loss import make_evaluation
from gato_jax.weights.weights import Weights

SHOWN_ANSWERS = 8
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
    mixture, options = weights.experiment.data.mixture, weights.experiment.evaluation
    loss, tokens = validation_loss(weights, mixture.groups[mixture.group_of(task)], data.batches)
    score: dict[str, Any] = {"task": task, "domain": task.partition(".")[0], "loss": loss, "tokens": tokens}
    generator = Generator(weights)
    if data.texts:
        score["samples"] = _text_samples(generator, data.texts, weights)
    elif data.pictures:
        said = _answers(generator, data, options.answer_tokens)
        right = [a.strip().lower() == b.strip().lower() for a, b in zip(said, data.answers, strict=True)]
        interval = share_interval(sum(right), len(right))
        score |= {"accuracy": interval.mean, "low": interval.low, "high": interval.high, "questions": len(right)}
        score["majority"] = collections.Counter(data.answers).most_common(1)[0][1] / len(data.answers)
        score["samples"] = [
            {"prompt": question, "said": answer, "expected": truth, "picture": _png(picture)}
            for question, answer, truth, picture in zip(
                data.questions[:SHOWN_ANSWERS], said, data.answers, data.pictures, strict=False
            )
        ]
    return LanguageScore(**score, seconds=time.monotonic() - started)


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


def _answers(generator: Generator, data: ValidationSet, tokens: int) -> list[str]:
    """Answers in the order of the questions; pictures of one size are shown together."""
    said = [""] * len(data.pictures)
    shapes = [picture.shape for picture in data.pictures]
    for shape in sorted(set(shapes)):
        chosen = [index for index, other in enumerate(shapes) if other == shape]
        pictures = np.stack([data.pictures[index] for index in chosen])
        answers = generator.answer(pictures, [data.questions[index] for index in chosen], tokens=tokens)
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
