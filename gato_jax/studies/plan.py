"""The plan of a sweep: its runs, in files that its workers share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_bytes, write_json
from data_pipelines.config_json import decode, encode
from data_pipelines.read_json import read_json
from gato_jax.config import load_experiment
from gato_jax.studies.study import Run, Study

PLAN = "plan.json"


ADDED = "added.json"


def write_plan(study: Study, out: Path) -> list[Run]:
    """Writes what the workers need, of added runs too. A directory keeps one meaning: runs may be added, none changes.

    Raises:
      ValueError: `out` holds another study, or another experiment under the name of one of this study's runs.
    """
    runs, added = study.runs(), added_runs(out)
    planned_runs = _runs(out / PLAN, _plan(out)) if (out / PLAN).exists() else []
    asked = {run.name: run for run in runs}
    if changed := [run.name for run in planned_runs if asked.get(run.name) != run]:
        raise ValueError(f"{out} holds another study: runs {changed[:5]} differ or are gone; choose another --out")
    if twice := sorted(asked.keys() & {run.name for run in added}):
        raise ValueError(f"{out / ADDED} holds runs {twice}, which the study has too; give its points other names")
    experiments = [(run, study.experiment(run)) for run in (*runs, *added)]  # All, before the first is written.
    for run, experiment in experiments:
        path = run_directory(out, run) / "experiment.json"
        if not path.exists():
            write_bytes(path, experiment.to_json().encode())
        elif load_experiment(path) != experiment:  # Not as text: a setting may be younger than the file.
            raise ValueError(f"{path} holds another experiment than the study's {run.name!r}; choose another --out")
    domains = {domain: list(tasks) for domain, tasks in study.domains.items()}
    said = {"study": study.name, "domains": domains, "scored": list(study.scored)}
    write_json(out / PLAN, {**said, "runs": [encode(run) for run in runs]})
    return [*runs, *added]


def read_plan(out: Path) -> list[Run]:
    """The runs of a sweep directory, added ones last. Raises `ValueError` where there is none."""
    return [*_runs(out / PLAN, _plan(out)), *added_runs(out)]


def added_runs(out: Path) -> list[Run]:
    """Runs that the study does not name; they are trained as the study's own the next time that it is swept."""
    path = out / ADDED
    return _runs(path, read_json(path, "runs that were added to a sweep", keys={"runs": list})) if path.exists() else []


def add_runs(out: Path, runs: Sequence[Run]) -> None:
    """Adds runs to a sweep directory; those that are there already stay."""
    there = {run.name for run in read_plan(out)}
    all_added = [*added_runs(out), *(run for run in runs if run.name not in there)]
    write_json(out / ADDED, {"runs": [encode(run) for run in all_added]})


def _plan(out: Path) -> dict[str, Any]:
    if not (out / PLAN).is_file():
        raise ValueError(f"{out} is no sweep directory: it has no {PLAN}")
    return read_json(out / PLAN, "the plan of a sweep", keys={"runs": list, "study": str, "domains": dict})


def _runs(path: Path, content: dict[str, Any]) -> list[Run]:
    try:
        return [decode(Run, run) for run in content["runs"]]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def run_directory(out: Path, run: Run) -> Path:
    """Where a run's files are."""
    return out / "runs" / run.name


def study_of(out: Path) -> str:
    """The study's name."""
    return _plan(out)["study"]


def domains_of(out: Path) -> dict[str, Sequence[str]]:
    """Domain -> its tasks."""
    return _plan(out)["domains"]


def scored_roles(out: Path) -> Sequence[str]:
    """Roles whose runs are scored, beside their losses."""
    return _plan(out).get("scored", ())
