"""`evaluate`: one set of weights in every environment, against the experts (Gato, section 4.1)."""

import difflib
import hashlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_pipelines import atomic_files
from data_pipelines.config_json import encode
from data_pipelines.scores import EVALUATION_SEED_BASE, load_scores
from data_pipelines.storage.recorded_tasks import language_tasks
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source
from gato_jax.evaluation.language import score_language
from gato_jax.evaluation.progress import ProgressLine
from gato_jax.evaluation.results import RESULT, ROLLOUTS, EvaluationResult
from gato_jax.evaluation.rollouts import load_rollout
from gato_jax.evaluation.scores import normaliser_of, score_task
from gato_jax.evaluation.worker import Jobs, Workers, run_task
from gato_jax.weights.load import load_weights
from gato_jax.weights.weights import Weights

PACKAGES = ("gato-jax", "jax", "flax", "numpy")
"""Whose versions are written beside those of the simulators."""


def evaluate(
    run: Path | str,
    data: Path | str | None = None,
    *,
    episodes: int | None = None,
    tasks: Sequence[str] | None = None,
    out: Path | str | None = None,
) -> EvaluationResult:
    """Rolls out every control task, asks every question task, and writes `evaluation.json`.

    Tasks are saved one by one (`rollouts/<task>.npz`): after an interrupt the same call goes on where it was. What was
    made by other weights or with other settings is made again.

    Args:
      run: run, checkpoint or export directory.
      data: data directory with scores.json; the run's own when None.
      episodes: per task, on seeds that recording never uses; the experiment's own number when None.
      tasks: names; all of the experiment's mixture when None. Others that were recorded (held out) may be named.
      out: where evaluation.json and rollouts/ go; `run` when None.

    Raises:
      FileNotFoundError: the run, the data directory or its scores are missing.
      ValueError: an unknown task (with the nearest names), or one that was never recorded.
      CheckpointError, ExportError: the weights cannot be loaded.
      WorkerFailed, ValidationError: a task could not be rolled out, or its validation data not be read.
    """
    started = time.monotonic()
    run = Path(run)
    out = run if out is None else Path(out)
    weights = load_weights(run, data=data)
    experiment = weights.experiment
    directory = str(experiment.data.directory if data is None else data)
    scores = load_scores(directory)
    episodes = experiment.evaluation.episodes if episodes is None else episodes
    if episodes < 1:
        raise ValueError(f"episodes must be positive, found {episodes}")
    known = experiment.data.mixture.task_names
    control, language = split_tasks(known, tasks, imported=language_tasks(directory, known))
    normalisers = {task: normaliser_of(scores, task, directory) for task in control}
    jobs = Jobs(
        weights=str(run),
        data=directory,
        episodes=episodes,
        first_seed=EVALUATION_SEED_BASE + experiment.evaluation.seed,
        out=str(out / ROLLOUTS),
        settings={
            "weights": fingerprint(weights),
            "agent": encode(experiment.agent),
            "episodes": episodes,
            "first_seed": EVALUATION_SEED_BASE + experiment.evaluation.seed,
        },
    )

    def result(asked: Sequence[Any], *, complete: bool) -> EvaluationResult:
        found = [_saved(jobs, task) for task in control]
        value = EvaluationResult(
            name=experiment.name,
            step=weights.step,
            episodes=episodes,
            context=_context(experiment.agent.context_timesteps),
            tasks=[score_task(rollout, normalisers[rollout.task]) for rollout in found if rollout is not None],
            language=list(asked),
            seconds=time.monotonic() - started,
            complete=complete,
            versions=versions(),
        )
        atomic_files.write_json(out / RESULT, value.to_dict())
        return value

    try:
        _roll_out_all(jobs, control, processes=experiment.evaluation.processes)
        asked = score_language(weights, language, data=directory)
    except KeyboardInterrupt:
        result((), complete=False)
        raise
    return result(asked, complete=True)


def split_tasks(
    known: Sequence[str], wanted: Sequence[str] | None, *, imported: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """Control tasks, and text and question tasks, among those wanted (None: all that are known).

    Args:
      known: tasks of the experiment.
      wanted: names, or None for all of these.
      imported: text and question tasks that may not be in the catalog.

    Raises:
      ValueError: a name that neither the experiment nor the catalog has, with the nearest ones.
    """
    control, language = [], []
    everything = catalog.catalog()
    for task in sorted(set(known if wanted is None else wanted)):
        if task in imported and task in known:
            language.append(task)
            continue
        if task not in everything:
            near = difflib.get_close_matches(task, sorted(everything), n=3, cutoff=0.4)
            hint = f"; did you mean {' or '.join(near)}?" if near else f"; the experiment has {', '.join(known)}"
            owner = "the experiment's mixture has the" if wanted is None else ""
            raise ValueError(f"{owner} unknown task {task!r}{hint}".strip())
        if everything[task].source is Source.ENVIRONMENT:
            control.append(task)
        elif task in known:
            language.append(task)
        else:
            raise ValueError(f"task {task!r} was not trained on: the experiment has {', '.join(known)}")
    return control, language


def _roll_out_all(jobs: Jobs, tasks: Sequence[str], *, processes: int) -> None:
    pending = [task for task in tasks if _saved(jobs, task) is None]
    # Long episodes first, so that no worker is left alone with one at the end.
    pending.sort(key=lambda task: -_cost(task))
    if not pending:
        return
    limits = {task: _cost(task) for task in pending}
    with ProgressLine(limits, label="evaluating") as line:
        # An accelerator belongs to one process; simulators on a CPU gain from several.
        if len(pending) == 1 or processes == 1 or jax.default_backend() != "cpu":
            os.environ.setdefault("MUJOCO_GL", "disabled")
            for task in pending:
                run_task(jobs, task, lambda step, finished, count, task=task: line.update(task, step, finished, count))
                line.done(task)
            return
        workers = Workers(jobs, pending, processes=processes)
        try:
            for event in workers.events():
                if event.get("done"):
                    line.done(event["task"])
                else:
                    line.update(event["task"], event["step"], event["finished"], event["count"])
        finally:
            workers.close()


def _cost(task: str) -> int:
    """About how many lockstep steps a task takes, for progress and order."""
    return catalog.suite_of(catalog.get(task).domain).episode_steps


def _saved(jobs: Jobs, task: str) -> Any:
    """The task's rollout, when there is one of these very weights and settings."""
    path = Path(jobs.out) / f"{task}.npz"
    if not path.is_file():
        return None
    rollout, settings = load_rollout(path)
    return rollout if settings == jobs.settings else None


def fingerprint(weights: Weights) -> str:
    """Digest of the experiment's network and of all parameters: equal weights act equally."""
    digest = hashlib.sha256(repr((weights.experiment.model, weights.experiment.data.tokens)).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights.parameters):
        digest.update(jax.tree_util.keystr(path).encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Of Python and of the packages that act; absent ones left out."""
    found = {"python": platform.python_version()}
    simulators = [suite for suite in catalog.SUITES if suite.is_simulator]
    for name in (*PACKAGES, *catalog.packages(simulators)):
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        # The name that the package itself writes: "dm_control", which setup.py calls "dm-control".
        found[distribution.metadata["Name"]] = distribution.version
    return found


def _context(timesteps: int) -> str:
    if timesteps == 0:
        return "the training window"
    return "the current timestep only" if timesteps == 1 else f"{timesteps} timesteps"
