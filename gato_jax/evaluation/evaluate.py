"""`evaluate`: one set of weights in every environment, against the experts (Gato, section 4.1)."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from data_pipelines import atomic_files
from data_pipelines.config_json import encode
from data_pipelines.scores import EVALUATION_SEED_BASE, Normaliser, load_scores
from data_pipelines.spec import TaskSpec
from data_pipelines.storage.recorded_tasks import language_tasks
from data_pipelines.suites import catalog
from data_pipelines.suites.frozen_scores import frozen_scores
from data_pipelines.suites.outside.versions import package_versions
from gato_jax.evaluation import baselines as baselines_module
from gato_jax.evaluation import neighbour, worlds
from gato_jax.evaluation import prompts as prompts_module
from gato_jax.evaluation.baselines import Baseline, Contender
from gato_jax.evaluation.language import score_language
from gato_jax.evaluation.progress import ProgressLine
from gato_jax.evaluation.results import RESULT, ROLLOUTS, EvaluationResult
from gato_jax.evaluation.scores import normaliser_of, score_task
from gato_jax.evaluation.worker import AGENT, Jobs, Workers, run_task
from gato_jax.evaluation.worlds import matching, split_tasks
from gato_jax.weights.fingerprint import fingerprint
from gato_jax.weights.load import load_weights

__all__ = ["evaluate", "fingerprint", "machine", "split_tasks", "versions"]

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
    policies: Sequence[str] = (),
    allow_code: Sequence[str] = (),
) -> EvaluationResult:
    """Rolls out every control task, asks every question task, and writes `evaluation.json`.

    Tasks are saved one by one (`rollouts/<task>.npz`): after an interrupt the same call goes on where it was. What was
    made by other weights or with other settings is made again.

    Args:
      run: run, checkpoint or export directory.
      data: data directory with scores.json; the run's own when None. Tasks that it has no scores of are normalised by
        those of the package.
      episodes: per task, on seeds that recording never uses; the experiment's own number when None.
      tasks: names, and globs over the experiment's mixture; all of it when None. Other tasks (held out) may be named.
      out: where evaluation.json and rollouts/ go; `run` when None.
      environments: of a task, stepped at a time; the experiment's own number when None. Scores do not depend on it.
      prompts: "auto": demonstrations from the data directory, when the run trained with prompts; "none"; or another
        data directory.
      baselines: also play every task with the recorded action at the nearest recorded observation.
      policies: also play these: "random", "expert", or package.module:policy (`evaluation.policies`), whose code runs.
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
    tasks = None if tasks is None else matching(task_names, tasks)
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
        settings={"weights": fingerprint(weights), "agent": experiment.agent.identity(), **same},
        task_settings={
            task: {**_world(outside, task), **_prompts(shown.settings, task)}
            for task in control
            if task in outside or task in shown.settings
        },
        specs={task: json.loads(spec.to_json()) for task, spec in outside.items()},
        decision=control[0] if control else "",
    )
    contenders = _contenders(jobs, same, control, directory, outside, baselines=baselines, policies=policies)

    def result(asked: Sequence[Any], *, complete: bool) -> EvaluationResult:
        played = {task: rollout for task in control if (rollout := jobs.saved(task)) is not None}
        value = EvaluationResult(
            name=experiment.name,
            step=weights.step,
            episodes=episodes,
            context=_context(experiment.agent.context_timesteps),
            tasks=[
                score_task(rollout, normalisers[task], *_beside(contenders, task, normalisers[task]))
                for task, rollout in played.items()
            ],
            language=list(asked),
            seconds=time.monotonic() - started,
            complete=complete,
            versions=versions(outside.values()),
            prompts=shown.about,
            unprompted=shown.missing if shown.requests else {},
            scores=frozen_scores().identity,
            packaged=[task for task in control if task not in scores],
            machine=machine(),
        )
        atomic_files.write_json(out / RESULT, value.to_dict())
        return value

    try:
        processes = experiment.evaluation.processes
        _roll_out_all(jobs, control, shown.read, processes=processes, label="evaluating")
        for contender in contenders:
            playing = (contender.jobs, contender.tasks, contender.read)
            _roll_out_all(*playing, processes=processes, label=contender.name)
        asked = score_language(weights, language, data=directory)
    except KeyboardInterrupt:
        result((), complete=False)
        raise
    return result(asked, complete=True)


def _contenders(
    jobs: Jobs,
    settings: Mapping[str, Any],
    tasks: Sequence[str],
    directory: str,
    outside: Mapping[str, TaskSpec],
    *,
    baselines: bool,
    policies: Sequence[str],
) -> list[Contender]:
    """What plays beside the agent, on the same seeds."""
    own = {task: world for task in tasks if (world := _world(outside, task))}
    names = dict.fromkeys([*([neighbour.NAME] if baselines else []), *policies])
    contenders = []
    for name in names:
        folder = baselines_module.ROLLOUTS if name == neighbour.NAME else f"policies/{name.replace(':', '.')}"
        beside = dataclasses.replace(
            jobs, out=str(Path(jobs.out).parent / folder), settings=dict(settings), task_settings=own
        )
        if name == neighbour.NAME:
            contenders.append(baselines_module.nearest_neighbour(beside, tasks, directory))
        else:
            contenders.append(baselines_module.policy(name, beside, tasks))
    return contenders


def _beside(
    contenders: Sequence[Contender], task: str, normaliser: Normaliser
) -> tuple[Baseline | None, dict[str, Baseline]]:
    """How the nearest neighbour does in a task, and how the others do."""
    scored = {contender.name: contender.score(task, normaliser) for contender in contenders}
    scored_policies = {name: one for name, one in scored.items() if one is not None}
    return scored_policies.pop(neighbour.NAME, None), scored_policies


def _world(outside: Mapping[str, TaskSpec], task: str) -> dict[str, Any]:
    """What is stored of a world with the rollouts in it."""
    return {"world": encode(outside[task].world)} if task in outside else {}


def _prompts(settings: Mapping[str, Any], task: str) -> dict[str, Any]:
    return {"prompts": settings[task]} if task in settings else {}


def _roll_out_all(
    jobs: Jobs, tasks: Sequence[str], read: Callable[[Sequence[str], Path], None], *, processes: int, label: str
) -> None:
    """Rolls out the tasks that are not saved yet.

    Args:
      read: writes the demonstrations that the tasks need into a directory.
    """
    pending = [task for task in tasks if jobs.saved(task) is None]
    # Long episodes first, so that no worker is left alone with one at the end.
    pending.sort(key=lambda task: -_cost(task, jobs.specs))
    if not pending:
        return
    rounds = -(-jobs.episodes // jobs.environments)
    costs = {task: _cost(task, jobs.specs) * rounds for task in pending}
    # An accelerator belongs to one process: there one policy acts, and a task's simulators are spread over several. On
    # a CPU several tasks are played side by side.
    accelerated = jax.default_backend() != "cpu" and jobs.actor == AGENT
    alone = len(pending) == 1 or processes == 1 or accelerated
    line = ProgressLine(costs, label=label, processes=1 if alone else processes)
    with tempfile.TemporaryDirectory() as shown, line:
        read(pending, Path(shown))
        jobs = dataclasses.replace(jobs, shown=shown, simulator_processes=processes if accelerated else 0)
        if alone:
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


def machine() -> dict[str, str]:
    """Where this process runs: its devices and CPUs, and the commit of the code where it is a checkout."""
    devices = jax.local_devices()
    where = {"device": f"{len(devices)} x {devices[0].device_kind}", "cpus": str(os.cpu_count())}
    root = Path(__file__).resolve().parents[2]
    if (root / ".git").exists() and (git := shutil.which("git")):
        done = subprocess.run(
            [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not done.returncode:
            where["commit"] = done.stdout.strip()
    return where


def _context(timesteps: int) -> str:
    if timesteps == 0:
        return "the training window"
    return "the current timestep only" if timesteps == 1 else f"{timesteps} timesteps"
