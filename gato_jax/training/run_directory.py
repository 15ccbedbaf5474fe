"""The run directory: its resolved config, and whether a run may continue there.

config.json   the resolved experiment      metrics.jsonl, tensorboard/   losses
checkpoints/  <step>                        summary.json                  how the run ended
run.lock      who trains here                stalls/, not_finite/          what went wrong
profile/      traces, when asked             wandb.id, wandb/              Weights & Biases, when asked
initial_weights.json   what the run began with, when asked
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_bytes
from data_pipelines.config_json import encode, with_new_names
from data_pipelines.differences import differences
from gato_jax.config import Experiment
from gato_jax.training.initial_weights import with_digest_of

CONFIG = "config.json"
SUMMARY = "summary.json"

MAY_CHANGE = (
    "name",
    "data.directory",
    "data.cache",
    "data.stream.threads",
    "data.stream.prefetch",
    "mesh.",
    "agent.",
    "evaluation.",
    "train.steps",
    "train.minutes",
    "train.log_every",
    "train.checkpoint_",
    "train.keep",
    "train.on_",
    "train.evaluate_every",
    "train.evaluate_rows",
    "train.hash_batches",
    "train.distributed",
    "train.peak_tflops",
    "train.wandb",
    "train.profile",
    "train.coordinator",
    "train.process",
    "train.wait_minutes",
    "train.stall_minutes",
)
"""Settings in which a resumed run may differ from its beginning: none of them changes what a step computes, except
`train.steps`, which stretches a schedule that follows the run's length."""


class RunMismatch(ValueError):
    """A run directory that holds another experiment."""


def check_resume(asked: Experiment, saved: dict[str, Any], *, where: Path) -> None:
    """Raises `RunMismatch` with key, expected (the checkpoint's) and found (asked for) of every forbidden change."""
    saved = _completed(with_new_names(Experiment, saved), encode(Experiment.from_dict(saved)))
    entries = differences(
        saved, encode(with_digest_of(asked, {"experiment": saved})), inside_lists=False, absent="absent"
    )
    changes = [entry for entry in entries if not entry[0].startswith(MAY_CHANGE)]
    if changes:
        lines = "\n".join(f"  {key}: expected {json.dumps(a)}, found {json.dumps(b)}" for key, a, b in changes)
        raise RunMismatch(f"{where} holds another experiment; choose another directory, or set these back:\n{lines}")


def _completed(saved: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are younger than the checkpoint have the default that it could not know."""
    both = {
        key: _completed(saved[key], value) for key, value in defaults.items() if isinstance(saved.get(key), Mapping)
    }
    return {**defaults, **saved, **both}


def with_steps(experiment: Experiment, steps: int) -> Experiment:
    """The experiment with its length resolved."""
    return dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, steps=steps))


def write_config(experiment: Experiment, out: Path) -> None:
    """Writes the resolved experiment beside the run."""
    write_bytes(out / CONFIG, experiment.to_json().encode())


JSONL = "metrics.jsonl"


def read_records(out: Path) -> list[dict[str, Any]]:
    """The records of a run directory, without a last line that a crash cut short; none where there is no file."""
    path = out / JSONL
    lines = path.read_text().splitlines() if path.exists() else []
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ValueError(f"{path}, line {number}: not JSON ({error})") from error
    return records
