"""The model card: README.md beside exported weights, written from the run."""

import dataclasses
import datetime
import json
from typing import Any

from gato_jax import __version__
from gato_jax.export.common.export_format import ExportFormat
from gato_jax.export.verification import Verification
from gato_jax.model.gato import count_parameters
from gato_jax.weights.source import Source


def model_card(
    source: Source, form: ExportFormat, dtype: str, verification: Verification | None, *, command: str
) -> str:
    """Markdown with the front matter that model hubs read."""
    experiment = source.experiment
    model, vocabulary = experiment.model, experiment.data.tokens.vocabulary
    parameters = count_parameters(model, vocabulary)
    step = int(source.meta["step"])
    parts = [
        "---\nlicense: other\nlicense_name: see-the-run\n"
        f"library_name: {form.library}\n"
        "tags: [gato, robotics, reinforcement-learning]\n---",
        f"# {experiment.name}",
        f"One transformer that reads and writes text, images, buttons and torques as tokens (Gato, Reed et al. 2022). "
        f"{parameters:,} parameters after {step:,} training steps; {form.name}, {dtype}.",
        "## How to load it",
        form.usage,
        "## Was it checked?",
        _checked(verification),
        "## Architecture",
        _table([(field.name, _plain(getattr(model, field.name))) for field in dataclasses.fields(model)]),
        f"Vocabulary: {vocabulary.size:,} ids (text {vocabulary.text_size:,}).",
        "## Data",
        _data(source),
        "## Scores",
        _scores(source),
        "## Limits",
        _limits(source, dtype),
        "## Licence",
        "The code in this directory is Apache-2.0. The weights carry whatever terms the data above and the person who "
        "trained them set; gato-jax adds none. Name them here before you share the weights.",
        "## How it was made",
        f"gato-jax {__version__}, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}:\n\n```\n{command}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _checked(verification: Verification | None) -> str:
    if verification is None:
        return "**No. This export was made with `--unverified`: nobody has loaded it and compared its outputs.**"
    versions = ", ".join(f"{name} {version}" for name, version in verification.versions.items())
    lines = "\n".join(f"- {line}" for line in verification.lines())
    return (
        f"Yes: loaded in a fresh process without gato-jax ({versions}) and compared with the trained model.\n\n{lines}"
    )


def _data(source: Source) -> str:
    mixture = source.experiment.data.mixture
    names = sorted(mixture.task_names)
    weights = mixture.weights
    total = sum(weights.get(name, 0) for name in names) or 1
    counted = source.meta.get("totals", {}).get("task_rows") or [0] * len(names)
    rows = sum(counted) or 1
    table = [("task", "asked for", "rows seen", "realised")]
    for name, count in zip(names, counted, strict=False):
        share = f"{100 * count / rows:.2f} %" if sum(counted) else "unknown"
        table.append((name, f"{100 * weights.get(name, 0) / total:.2f} %", f"{count:,}", share))
    return "Rows of the training mixture, by task.\n\n" + _table(table[1:], header=table[0])


def _scores(source: Source) -> str:
    from gato_jax.evaluation.report.exports import card_text
    from gato_jax.evaluation.results import load_result

    for directory in (source.path, *list(source.path.parents)[:3]):
        path = directory / "evaluation.json"
        if not path.is_file():
            continue
        try:
            result = load_result(path)
        except (ValueError, KeyError, TypeError) as error:
            return f"An evaluation is beside the run, but cannot be read: {error}"
        if result.step != int(source.meta["step"]):
            return f"None for these weights: the evaluation beside the run is of step {result.step}."
        return card_text(result)
    return "None: the run was not evaluated when this was exported (`gato evaluate RUN`, then export again)."


def _limits(source: Source, dtype: str) -> str:
    experiment = source.experiment
    longest = max(group.window_length for group in experiment.data.mixture.groups.values())
    lines = [
        f"It has seen sequences of at most {longest} tokens, and the tasks above only.",
        "Actions are bins: a continuous action is one of 1,024 values of its range.",
        "Scores, where there are any, are of one training run; their intervals are over episodes.",
        "Nothing here was tested on a real robot. Bound its actions in the controller, not in the model.",
    ]
    if dtype == "bfloat16":
        lines.append("Weights are rounded to bfloat16; the float32 originals give slightly other scores.")
    steps = experiment.train.steps
    if steps is not None and int(source.meta["step"]) < steps:
        lines.append(f"Training stopped at step {source.meta['step']} of {steps}.")
    return "\n".join(f"- {line}" for line in lines)


def _table(rows: list[tuple[Any, ...]], header: tuple[str, ...] = ("setting", "value")) -> str:
    lines = ["| " + " | ".join(map(str, header)) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return json.dumps(getattr(value, "value", value))
