"""The parts of the report that state facts: settings, times, versions, next steps."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines import html_page
from data_pipelines.html_page import escape
from gato_jax.config import Experiment
from gato_jax.evaluation.results import EvaluationResult


def settings(experiment: Experiment, result: EvaluationResult) -> str:
    """What was trained and how, in short and in full."""
    model, stream, loss = experiment.model, experiment.data.stream, experiment.loss
    vocabulary = experiment.data.tokens.vocabulary
    groups = experiment.data.mixture.groups
    shapes = ", ".join(f"{name} {g.windows} x {g.window_length}" for name, g in groups.items())
    short = {
        "network": f"{model.layers} blocks of width {model.width}, {model.heads} heads of {model.head_size}, "
        f"feed-forward {model.hidden} ({model.feed_forward.value}), positions {model.positions.value}",
        "vocabulary": f"{vocabulary.size:,} ids, {vocabulary.text_size:,} of text",
        "rows (windows x places)": shapes,
        "optimizer": _optimizer(experiment),
        "loss": f"soft targets {loss.soft_target_sigma:g} bins, jitter {loss.observation_jitter} bins",
        "seeds": f"data {stream.seed}, training {experiment.train.seed}, evaluation {experiment.evaluation.seed}",
        "prompts": f"{100 * stream.prompt_share:g} % of the control sequences in training; here {result.prompts}",
        "context": result.context,
        **{f"evaluated on, {name}" if name != "commit" else "commit": value for name, value in result.machine.items()},
    }
    text = escape(experiment.to_json())
    full = f"<details><summary>The whole resolved configuration</summary><pre>{text}</pre></details>"
    return html_page.section("Settings", f'<div class="card">{html_page.keys(short)}</div><p></p>{full}')


def _optimizer(experiment: Experiment) -> str:
    optimizer = experiment.optimizer
    decay = "the rest of the run" if optimizer.decay_steps is None else f"{optimizer.decay_steps:,} steps"
    return (
        f"learning rate {optimizer.learning_rate:g}, reached after a warm-up of {optimizer.warmup_steps:,} steps from "
        f"{optimizer.warmup_from:g}, then a cosine over {decay}"
    )


def times(result: EvaluationResult, metrics: Sequence[Mapping[str, Any]], seconds: Mapping[str, float]) -> str:
    """Wall times and versions."""
    times = {f"{stage} (wall)": _clock(value) for stage, value in seconds.items()}
    speeds = [r["tokens_per_second"] for r in metrics if r.get("tokens_per_second")]
    if speeds:
        times["training speed"] = f"{statistics.median(speeds):,.0f} tokens a second (median)"
    times["evaluation"] = _clock(result.seconds)
    slowest = max(result.tasks, key=lambda s: s.seconds, default=None)
    if slowest is not None:
        times["slowest task"] = f"{slowest.task}, {_clock(slowest.seconds)}"
    body = f'<div class="grid two"><div class="card"><h3>Times</h3>{html_page.keys(times)}</div>'
    return html_page.section(
        "Times and versions", f'{body}<div class="card"><h3>Versions</h3>{html_page.keys(result.versions)}</div></div>'
    )


def next_steps(run: Path) -> str:
    """Commands to go on with."""
    name = escape(run.name)
    steps = (
        (f"gato play {name} metaworld.drawer_close", "watch a task of your choice"),
        (f"gato export {name} --to export", "weights as safetensors"),
        ("gato train quickstart --model.width 256 --out runs/wider", "change one thing and train again"),
        ("gato record --tasks all", "record every task there is"),
    )
    lines = "".join(f"<dt><code>{command}</code></dt><dd>{escape(why)}</dd>" for command, why in steps)
    return html_page.section("Next steps", f'<div class="card"><dl class="keys">{lines}</dl></div>')


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
