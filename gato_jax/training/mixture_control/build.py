"""The controller that `train.mixture_controller` asks for, and the reference losses that it goes by.

The arithmetic of controllers is Python's own on doubles, so all hosts agree. New weights take effect two
reseeding periods later, so the distribution that drew the losses is not the last one that was said.
"""

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from gato_jax.config import ControllerName, Experiment
from gato_jax.training.mixture_control.arms import Deal
from gato_jax.training.mixture_control.controller import MixtureController
from gato_jax.training.mixture_control.doremi import Doremi
from gato_jax.training.mixture_control.exp3 import Bandit
from gato_jax.training.run_directory import JSONL, read_records


def build_controller(experiment: Experiment) -> MixtureController | None:
    """The controller that the experiment asks for, at its beginning."""
    config, data = experiment.train.mixture_controller, experiment.data
    if config.name is ControllerName.NONE:
        return None
    deal = Deal(data.mixture.weights, config.arms, config.measure)
    if config.name is ControllerName.DOREMI:
        return Doremi(config.doremi, deal)
    return Bandit(config.bandit, deal, data.stream.reseed_every)


def resolve_controller(experiment: Experiment) -> Experiment:
    """Reference losses read from their file, so that the run's config says what the run goes by.

    Raises:
      ValueError: no such file, another content, or a task without a reference loss (with the nearest that have one).
    """
    controller = experiment.train.mixture_controller
    if controller.name is not ControllerName.DOREMI:
        return experiment
    losses = controller.doremi.losses or read_losses(controller.doremi.reference)
    tasks = experiment.data.mixture.task_names
    for task in tasks:
        if task not in losses:
            near = difflib.get_close_matches(task, losses, n=3) or sorted(losses)
            raise ValueError(
                f"train.mixture_controller.doremi: no reference loss of task {task!r}; nearest there: {near}"
            )
    doremi = dataclasses.replace(controller.doremi, losses={task: losses[task] for task in tasks})
    train = dataclasses.replace(experiment.train, mixture_controller=dataclasses.replace(controller, doremi=doremi))
    return dataclasses.replace(experiment, train=train)


def require_validation(experiment: Experiment, tasks: Sequence[str]) -> None:
    """Raises `ValueError` where a controller goes by held-out losses and an arm has none.

    Args:
      tasks: those that have a held-out loss.
    """
    controller = experiment.train.mixture_controller
    if not controller.controlled_by_validation:
        return
    deal = Deal(experiment.data.mixture.weights, controller.arms)
    if without := sorted(set(deal.shares) - set(deal.means(dict.fromkeys(tasks, 0.0)))):
        raise ValueError(
            f"train.mixture_controller.measure is validation, but these have no validation split: {without}; record "
            "with --validation, or choose measure training"
        )


def read_losses(reference: str) -> dict[str, float]:
    """Task -> loss, from a file or a run directory as `DoremiConfig.reference` says. Raises `ValueError`."""
    path, where = Path(reference), f"train.mixture_controller.doremi.reference {reference}"
    if path.is_dir():
        entries = next((r["validation"] for r in reversed(read_records(path)) if "validation" in r), None)
        if entries is None:
            raise ValueError(f"{where}: no validation in {path / JSONL}; a run with train.evaluate_every has one")
    elif path.is_file():
        entries = json.loads(path.read_text())
        entries = entries.get("tasks", entries.get("losses", entries)) if isinstance(entries, Mapping) else None
    else:
        raise ValueError(f"{where} does not exist")
    if not isinstance(entries, Mapping) or not entries:
        raise ValueError(f'{where}: expected {{task: loss}} or {{task: {{"loss": loss}}}}, found {str(entries)[:60]}')
    losses: dict[str, float] = {}
    for task, value in entries.items():
        loss = value.get("loss") if isinstance(value, Mapping) else value
        if isinstance(loss, bool) or not isinstance(loss, (int, float)) or not math.isfinite(loss):
            raise ValueError(f"{where}: expected a number as the loss of {task!r}, found {loss!r}")
        losses[task] = float(loss)
    return losses
