"""config.json of an export: the network's shape for other runtimes, and under "gato" all that a way back needs.

The shape stands there twice, because transformers reads one and we the other. Both must say the same. What a run had
counted (step, data position, sums, seconds) is checked before anybody goes on from it.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from gato_jax.config import Experiment
from gato_jax.training.logging.metrics import Totals
from gato_jax.weights.tensor_names import ExportError

MOST_STEPS = 2**31 - 1
"""A step is an int32 on the devices."""

RECORD = ("position", "totals", "seconds", "loss", "mesh")
"""What an export keeps of a checkpoint's metadata, beside the step."""


def shape_of(experiment: Experiment) -> dict[str, Any]:
    """What config.json says of the network, for other runtimes."""
    model = experiment.model
    return {
        **{name: getattr(model, name) for name in ("width", "layers", "heads", "head_size", "gate_width")},
        "norm": model.norm.value,
        "positions": model.positions.value,
        "max_positions": model.max_length,
        **{name: getattr(model, name) for name in ("local_positions", "patch_channels", "patch_groups")},
        "vocabulary": experiment.data.tokens.vocabulary.size,
    }


def check_shape(config: Mapping[str, Any], experiment: Experiment) -> None:
    """Raises `ExportError` where the two places that state the architecture differ."""
    problems = []
    for name, expected in shape_of(experiment).items():
        value = config.get(name, "nothing")
        if type(value) is not type(expected) or value != expected:
            problems.append(f"{name}: expected {_plain(expected)} as in gato.experiment, found {_plain(value)}")
    if problems:
        raise ExportError("the architecture stands there twice, and differs:\n  " + "\n  ".join(problems))


def read_record(own: Mapping[str, Any], experiment: Experiment) -> dict[str, Any]:
    """Step, data position, totals, seconds, loss and mesh of the run that was exported.

    Args:
      own: the part "gato" of config.json.

    Raises:
      ExportError: one of them is not what a run of this experiment counts; names the key, expected and found.
    """
    step: Any = own.get("step")
    steps = experiment.train.steps
    _expect("step", step, _is_count(step) and step <= MOST_STEPS, f"a whole number from 0 to {MOST_STEPS}")
    _expect("step", step, steps is None or step <= steps, f"at most the {steps} steps of the experiment")
    training = own.get("training")
    _expect("training", training, isinstance(training, dict), "a mapping")
    assert isinstance(training, dict)
    for name in training:
        _expect(f"training.{name}", training[name], name in RECORD, f"only {', '.join(RECORD)}")
    record = {"step": step, **training}
    if "seconds" in record:
        seconds = record["seconds"]
        _expect("training.seconds", seconds, _is_number(seconds) and seconds >= 0, "a finite number of seconds from 0")
    loss = record.get("loss")
    _expect("training.loss", loss, loss is None or _is_number(loss), "a finite number, or null")
    mesh = record.get("mesh", {})
    is_mesh = isinstance(mesh, dict) and all(_is_count(size) and size for size in mesh.values())
    _expect("training.mesh", mesh, is_mesh, "a mapping of axes to positive numbers of devices")
    _check_position(record.get("position", {"step": step}), step)
    _check_totals(record.get("totals") or {}, experiment)
    return record


def _check_position(position: Any, step: int) -> None:
    """What the data stream itself compares when it goes on is left to it: seeds, settings and files."""
    _expect("training.position", position, isinstance(position, dict), "a mapping")
    position_step = position.get("step")
    _expect(
        "training.position.step",
        position_step,
        _is_count(position_step) and position_step == step,
        f"{step}, the step of the weights",
    )
    weights = position.get("weights", {})
    tables = weights if isinstance(weights, list) else [[0, weights]]
    for i, entry in enumerate(tables):
        key = f"training.position.weights[{i}]"
        is_pair = isinstance(entry, list) and len(entry) == 2 and _is_count(entry[0]) and isinstance(entry[1], dict)
        _expect(key, entry, is_pair, "a first segment and weights by task")
        for task, weight in entry[1].items():
            _expect(f"{key}.{task}", weight, _is_number(weight) and weight >= 0, "a finite number from 0")


def _check_totals(totals: Any, experiment: Experiment) -> None:
    """Sums have the names, kinds and lengths that a run of this experiment counts with."""
    _expect("training.totals", totals, isinstance(totals, dict), "a mapping")
    mixture = experiment.data.mixture
    for name, stored in totals.items():
        empty_totals = Totals(mixture.task_names, tuple(mixture.groups)).to_dict()
        key = f"training.totals.{name}"
        _expect(key, stored, name in empty_totals, f"only {', '.join(empty_totals)}")
        expected = empty_totals[name]
        if isinstance(expected, dict):
            is_same = (
                isinstance(stored, dict) and set(stored) == set(expected) and all(map(_is_number, stored.values()))
            )
            _expect(key, stored, is_same, f"a finite number for each of {', '.join(expected)}")
        elif isinstance(expected, list):
            count, whole = len(expected), isinstance(expected[0], int) if expected else True
            is_one = _is_count if whole else _is_number
            is_list = isinstance(stored, list) and len(stored) == count and all(map(is_one, stored))
            may_lack = (
                name in ("task_tokens", "task_loss_tokens") and stored is None
            )  # An earlier version did not count.
            _expect(key, stored, is_list or may_lack, f"{count} {'whole' if whole else 'finite'} numbers, one a task")
        elif isinstance(expected, int):
            _expect(key, stored, _is_count(stored), "a whole number from 0")
        else:
            _expect(key, stored, _is_number(stored), "a finite number")


def _expect(key: str, found: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise ExportError(f"gato.{key}: expected {expected}, found {_plain(found)}")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _plain(value: Any) -> str:
    return json.dumps(value)[:80]
