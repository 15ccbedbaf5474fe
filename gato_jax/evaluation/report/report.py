"""`report.html`: one self-contained page that says what was trained, how well it acts, and where it fails."""

from pathlib import Path
from typing import Any

from data_pipelines import atomic_files, html_page
from data_pipelines.html_page import escape, whole
from data_pipelines.read_json import read_json
from data_pipelines.words import counted
from gato_jax import __version__
from gato_jax.config import Experiment, load_experiment
from gato_jax.evaluation.report import bars, charts, facts, overview, published, training
from gato_jax.evaluation.report.decision import decision
from gato_jax.evaluation.report.films import watch
from gato_jax.evaluation.report.language import language
from gato_jax.evaluation.report.scores import scores
from gato_jax.evaluation.results import RESULT, ROLLOUTS, EvaluationResult, load_result
from gato_jax.evaluation.score_table import conclusion
from gato_jax.evaluation.worker import DECISION
from gato_jax.model.gato import count_parameters
from gato_jax.training.run_directory import read_records

SECONDS = "seconds.json"


def write_report(
    run: Path | str,
    *,
    evaluation: Path | str | None = None,
    out: Path | str | None = None,
    films: bool = True,
) -> Path:
    """Writes the page.

    Args:
      run: run directory, for its config.json and metrics.jsonl.
      evaluation: directory with evaluation.json and rollouts/ (and seconds.json, wall time by stage, where there is
        one); `run` when None.
      out: the page; report.html beside evaluation.json when None.
      films: replay and render episodes of each domain.

    Raises:
      FileNotFoundError: the run's config or the evaluation is missing.
      ValueError: they are not what they should be.
      IsADirectoryError, NotADirectoryError: no file can be written at `out`.
    """
    run = Path(run)
    evaluation = run if evaluation is None else Path(evaluation)
    out = evaluation / "report.html" if out is None else Path(out)
    atomic_files.check_destination(out)
    result = load_result(evaluation / RESULT)
    experiment = read_experiment(run)
    records = read_records(run)
    seconds = read_json(evaluation / SECONDS, "seconds by stage") if (evaluation / SECONDS).is_file() else {}
    body = [
        _head(result, experiment),
        overview.overview(result),
        scores(result),
        overview.episodes(result),
        watch(result, evaluation / ROLLOUTS) if films else "",
        decision(evaluation / DECISION),
        published.section(result),
        language(result.language),
        training.validation(records),
        training.losses(records),
        training.mixture(experiment, records),
        facts.settings(experiment, result),
        facts.times(result, records, seconds),
        facts.next_steps(run),
        _foot(result),
    ]
    page = html_page.document(f"{result.name}: report", "".join(body), style=charts.STYLE + bars.STYLE)
    atomic_files.write_bytes(out, page.encode())
    return out


def read_experiment(run: Path) -> Experiment:
    """The resolved configuration of a run. Raises `FileNotFoundError`."""
    config = run / "config.json"
    if not config.is_file():
        raise FileNotFoundError(f"{config}: expected the resolved config of a run, found none")
    return load_experiment(config)


def _head(result: EvaluationResult, experiment: Experiment) -> str:
    vocabulary = experiment.data.tokens.vocabulary
    parameters = count_parameters(experiment.model, vocabulary)
    overall = result.overall()
    figures = [
        (f"{result.passed}<small> of {len(result.tasks)}</small>", "environment tasks reach half of the expert"),
        (f"{len(result.below_random)}", "tasks are below random at 95 % confidence"),
    ]
    if overall is not None:
        figures.append(
            (f"{whole(overall.mean)}<small> %</small>", "of the expert, mean over domains of the mean over tasks")
        )
    figures.append((f"{parameters / 1e6:.2f}<small> M</small>", "parameters, one set for all tasks"))
    figures.append((f"{result.step:,}", "training steps"))
    tasks = counted(len(experiment.data.mixture.task_names), "task")
    about = f"One transformer, one set of weights, {tasks}. {conclusion(result)}."
    lead = f'<p class="lead">{escape(about)}</p>'
    return f"<header><h1>{escape(result.name)}</h1>{lead}{html_page.tiles(figures)}</header>"


def _foot(result: EvaluationResult) -> str:
    identity: dict[str, Any] = dict(result.scores)
    frozen = (
        f"; frozen scores version {identity['version']}, SHA-256 {escape(identity['sha256'][:16])}" if identity else ""
    )
    return (
        f"<footer>gato-jax {__version__}, evaluation of {escape(result.name)} at step {result.step:,}{frozen}.</footer>"
    )
