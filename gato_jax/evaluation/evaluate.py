"""`evaluate`: one set of weights in every environment, against the experts (Gato, section 4.1)."""

import dataclasses
import difflib
import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_pipelines import atomic_files
from data_pipelines.config_json import encode
from data_pipelines.scores import EVALUATION_SEED_BASE, load_scores
from data_pipelines.spec import TaskSpec
from data_pipelines.storage.recorded_tasks import language_tasks
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source
from data_pipelines.suites.outside.versions import package_versions
from gato_jax.evaluation import baselines as baselines_module
from gato_jax.evaluation import neighbour, worlds
from gato_jax.evaluation import prompts as prompts_module
from gato_jax.evaluation.baselines import Baseline
from gato_jax.evaluation.language import score_language
from gato_jax.evaluation.progress import ProgressLine
from gato_jax.evaluation.results import RESULT, ROLLOUTS, EvaluationResult
from gato_jax.evaluation.rollouts import load_rollout
from gato_jax.evaluation.scores import normaliser_of, score_task
from gato_jax.evaluation.worker import AGENT, Jobs, Workers, run_task
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
    environments: int | None = None,
    prompts: str = prompts_module.AUTO,
    baselines: bool = False,
    allow_code: Sequence[str] = (),
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
      environments: of a task, stepped at a time; the experiment's own number when None. Scores do not depend on it.
      prompts: "auto": demonstrations from the data directory, when the run trained with prompts; "none"; or another
        data directory.
      baselines: also play every task with the recorded action at the nearest recorded observation.
      allow_code: packages whose code may be imported for tasks that are played outside this package, although nobody
        here named their worlds.

    Raises:
      FileNotFoundError: the run, the data directory or its scores are missing.
      ValueError: an unknown task (with the nearest names), or one that was never recorded.
      CheckpointError, ExportError: the weights cannot be loaded.
      DataError: a directory of prompts that was named does not hold those of a task.
      WorldError: a world from outside that is not allowed, not there, or not that of the data.
      WorkerFailed, ValidationError: a task could not be rolled out, or data not be read.

    Examples:
      >>> import gato_jax
      >>> result = gato_jax.evaluate("run", "data", tasks=["babyai.go_to_obj"], episodes=1)
      >>> [(score.task, len(score.returns)) for score in result.tasks]
      [('babyai.go_to_obj', 1)]
    """
    started = time.monotonic()
    run = Path(run)
    out = run if out is None else Path(out)
    weights = load_weights(run, data=data)
    experiment = weights.experiment
    directory = str(experiment.data.directory if data is None else data)
    scores = load_scores(directory)
    episodes = experiment.evaluation.episodes if episodes is None else episodes
    environments = experiment.evaluation.environments if environments is None else environments
    for name, value in (("episodes", episodes), ("environments", environments)):
        if value < 1:
            raise ValueError(f"{name} must be positive, found {value}")
    task_names = experiment.data.mixture.task_names
    outside = worlds.recorded_specs(task_names if tasks is None else tasks, directory, allow=allow_code)
    imported = language_tasks(directory, task_names)
    control, language = split_tasks(task_names, tasks, imported=imported, outside=outside)
    normalisers = {task: normaliser_of(scores, task, directory) for task in control}
    shown = prompts_module.plan(weights, control, prompts, data=directory, episodes=episodes)
    first_seed = EVALUATION_SEED_BASE + experiment.evaluation.seed
    same = {"episodes": episodes, "first_seed": first_seed}
    jobs = Jobs(
        weights=str(run),
        data=directory,
        episodes=episodes,
        environments=environments,
        first_seed=first_seed,
        out=str(out / ROLLOUTS),
        settings={"weights": fingerprint(weights), "agent": encode(experiment.agent), **same},
        task_settings={
            task: {**_world(outside, task), **_prompts(shown.settings, task)}
            for task in control
            if task in outside or task in shown.settings
        },
        specs={task: json.loads(spec.to_json()) for task, spec in outside.items()},
    )
    searched = baselines_module.plan(control, directory) if baselines else None
    beside = dataclasses.replace(
        jobs,
        out=str(out / baselines_module.ROLLOUTS),
        settings=same,
        task_settings={
            task: {**_world(outside, task), "searched": settings}
            for task, settings in (searched.settings.items() if searched else ())
        },
        actor=neighbour.NAME,
    )

    def baseline(task: str) -> Baseline | None:
        if searched is None:
            return None
        if task in searched.why_not:
            return Baseline(neighbour.NAME, searched.why_not[task])
        rollout = _saved(beside, task)
        return rollout and baselines_module.score(rollout, normalisers[task])

    def result(asked: Sequence[Any], *, complete: bool) -> EvaluationResult:
        saved_tasks = [_saved(jobs, task) for task in control]
        value = EvaluationResult(
            name=experiment.name,
            step=weights.step,
            episodes=episodes,
            context=_context(experiment.agent.context_timesteps),
            tasks=[
                score_task(one, normalisers[one.task], baseline(one.task)) for one in saved_tasks if one is not None
            ],
            language=list(asked),
            seconds=time.monotonic() - started,
            complete=complete,
            versions=versions(outside.values()),
            prompts=shown.about,
            unprompted=shown.missing if shown.requests else {},
        )
        atomic_files.write_json(out / RESULT, value.to_dict())
        return value

    try:
        processes = experiment.evaluation.processes
        _roll_out_all(jobs, control, shown.read, processes=processes, label="evaluating")
        if searched is not None:
            played = list(searched.requests)
            _roll_out_all(beside, played, searched.read, processes=processes, label=neighbour.NAME)
        asked = score_language(weights, language, data=directory)
    except KeyboardInterrupt:
        result((), complete=False)
        raise
    return result(asked, complete=True)


def _world(outside: Mapping[str, TaskSpec], task: str) -> dict[str, Any]:
    """What is stored of a world with the rollouts in it."""
    return {"world": encode(outside[task].world)} if task in outside else {}


def _prompts(settings: Mapping[str, Any], task: str) -> dict[str, Any]:
    return {"prompts": settings[task]} if task in settings else {}


def split_tasks(
    mixture_tasks: Sequence[str],
    requested: Sequence[str] | None,
    *,
    imported: Sequence[str] = (),
    outside: Container[str] = (),
) -> tuple[list[str], list[str]]:
    """Control tasks, and text and question tasks, among those wanted (None: all that are known).

    Args:
      mixture_tasks: tasks of the experiment.
      requested: names, or None for all of these.
      imported: text and question tasks that may not be in the catalog.
      outside: control tasks that are played outside this package.

    Raises:
      ValueError: a name that neither the experiment nor the catalog has, with the nearest ones.
    """
    control, language = [], []
    everything = catalog.catalog()
    for task in sorted(set(mixture_tasks if requested is None else requested)):
        if task in imported and task in mixture_tasks:
            language.append(task)
            continue
        if task in outside:
            control.append(task)
            continue
        if task not in everything:
            near = difflib.get_close_matches(task, sorted(everything), n=3, cutoff=0.4)
            hint = (
                f"; did you mean {' or '.join(near)}?" if near else f"; the experiment has {', '.join(mixture_tasks)}"
            )
            owner = "the experiment's mixture has the" if requested is None else ""
            raise ValueError(f"{owner} unknown task {task!r}{hint}".strip())
        if everything[task].source is Source.ENVIRONMENT:
            control.append(task)
        elif task in mixture_tasks:
            language.append(task)
        else:
            raise ValueError(f"task {task!r} was not trained on: the experiment has {', '.join(mixture_tasks)}")
    return control, language


def _roll_out_all(
    jobs: Jobs, tasks: Sequence[str], read: Callable[[Sequence[str], Path], None], *, processes: int, label: str
) -> None:
    """Rolls out the tasks that are not saved yet.

    Args:
      read: writes the demonstrations that the tasks need into a directory.
    """
    pending = [task for task in tasks if _saved(jobs, task) is None]
    # Long episodes first, so that no worker is left alone with one at the end.
    pending.sort(key=lambda task: -_cost(task, jobs.specs))
    if not pending:
        return
    rounds = -(-jobs.episodes // jobs.environments)
    costs = {task: _cost(task, jobs.specs) * rounds for task in pending}
    with tempfile.TemporaryDirectory() as shown, ProgressLine(costs, label=label) as line:
        read(pending, Path(shown))
        jobs = dataclasses.replace(jobs, shown=shown)
        # An accelerator belongs to one process; simulators on a CPU gain from several.
        if len(pending) == 1 or processes == 1 or (jax.default_backend() != "cpu" and jobs.actor == AGENT):
            os.environ.setdefault("MUJOCO_GL", catalog.renderer_for(pending, jobs.specs))
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


def _cost(task: str, specs: Mapping[str, Mapping[str, Any]] | None = None) -> int:
    """About how many lockstep steps a task takes, for progress and order."""
    if specs and task in specs:
        return specs[task]["max_episode_steps"]
    return catalog.suite_of(catalog.get(task).domain).episode_steps


def _saved(jobs: Jobs, task: str) -> Any:
    """The task's rollout, when there is one of these very weights and settings."""
    path = jobs.path(task)
    if not path.is_file():
        return None
    rollout, settings = load_rollout(path)
    return rollout if settings == jobs.settings_of(task) else None


def fingerprint(weights: Weights) -> str:
    """Digest of the experiment's network and of all parameters: equal weights act equally."""
    digest = hashlib.sha256(repr((weights.experiment.model, weights.experiment.data.tokens)).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights.parameters):
        digest.update(jax.tree_util.keystr(path).encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def versions(outside: Iterable[TaskSpec] = ()) -> dict[str, str]:
    """Of Python and of the packages that act, those that hold worlds from outside included; absent ones left out."""
    found_versions = {"python": platform.python_version()}
    simulators = [suite for suite in catalog.suites() if suite.is_simulator]
    for name in (*PACKAGES, *catalog.packages(simulators)):
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        # The name that the package itself writes: "dm_control", which setup.py calls "dm-control".
        found_versions[distribution.metadata["Name"]] = distribution.version
    for spec in outside:
        if spec.world is not None:
            found_versions |= package_versions(spec.world.code)
    return found_versions


def _context(timesteps: int) -> str:
    if timesteps == 0:
        return "the training window"
    return "the current timestep only" if timesteps == 1 else f"{timesteps} timesteps"
