"""`comparison.html`: several evaluated runs side by side, by the package's frozen scores.

Only runs that were scored with one version of them are compared.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines import atomic_files, html_page
from data_pipelines.config_json import encode
from data_pipelines.differences import difference_lines
from data_pipelines.html_page import escape, whole
from data_pipelines.suites.frozen_scores import check_same, frozen_scores
from gato_jax import __version__
from gato_jax.evaluation.metrics import aggregates, summaries
from gato_jax.evaluation.report import bars, charts
from gato_jax.evaluation.report.charts import Series
from gato_jax.evaluation.report.report import read_experiment
from gato_jax.evaluation.results import RESULT, EvaluationResult, load_result
from gato_jax.training.run_directory import read_records

PAGE = "comparison.html"
Results = Mapping[str, EvaluationResult]


def write_comparison(runs: Sequence[Path | str], *, out: Path | str | None = None) -> Path:
    """Writes the page.

    Args:
      runs: run directories with evaluation.json, two or more.
      out: the page; comparison.html beside the first run when None.

    Raises:
      ValueError: fewer than two runs, or runs that were scored with different versions of the frozen scores.
      FileNotFoundError: a run that was not evaluated.
      IsADirectoryError, NotADirectoryError: no file can be written at `out`.
    """
    paths = [Path(run) for run in runs]
    if len(paths) < 2:
        raise ValueError(f"a comparison needs two runs or more, found {len(paths)}")
    out = paths[0].parent / PAGE if out is None else Path(out)
    atomic_files.check_destination(out)
    results = {name: load_result(path / RESULT) for name, path in _names(paths).items()}
    check_comparable(results)
    experiments = {name: read_experiment(path) for name, path in _names(paths).items()}
    records = {name: read_records(path) for name, path in _names(paths).items()}
    percents = {name: summaries.frozen_percents(result) for name, result in results.items()}
    body = [
        _head(results, percents),
        _thresholds(percents),
        _domains(percents),
        _tasks(percents),
        _losses(records),
        _settings({name: encode(experiment) for name, experiment in experiments.items()}),
        f"<footer>gato-jax {__version__}; frozen scores version {frozen_scores().version}, SHA-256 "
        f"{frozen_scores().sha256[:16]}.</footer>",
    ]
    page = html_page.document("Comparison", "".join(body), style=charts.STYLE + bars.STYLE)
    atomic_files.write_bytes(out, page.encode())
    return out


def check_comparable(results: Results) -> None:
    """Raises `ValueError` where results were scored with other frozen scores than each other, or than the package's."""
    identities: dict[str, Mapping[str, Any]] = {name: result.scores for name, result in results.items()}
    check_same({**identities, "this package": frozen_scores().identity})


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    """Runs by the end of their path that tells them apart."""
    for parts in range(1, max(len(path.resolve().parts) for path in paths) + 1):
        names = ["/".join(path.resolve().parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return dict(zip(names, paths, strict=True))
    raise ValueError(f"expected different runs, found one of them twice: {[str(path) for path in paths]}")


def _head(results: Results, percents: Mapping[str, summaries.Percents]) -> str:
    figures = []
    for name, result in results.items():
        of = percents[name]
        half = sum(float(one.mean()) >= 50 for one in of.values())
        meaning = f"{name}: tasks at half of the expert, step {result.step:,}"
        figures.append((f"{half}<small> of {len(of)}</small>", meaning))
    lead = (
        "Percent of the package's frozen experts. A task is compared where all runs were evaluated in it; intervals "
        "are at 95 %, from episodes drawn again inside each task."
    )
    return f'<header><h1>Comparison</h1><p class="lead">{lead}</p>{html_page.tiles(figures)}</header>'


def _thresholds(percents: Mapping[str, summaries.Percents]) -> str:
    shared = _shared(percents)
    if not shared:
        return ""
    series = [
        Series(name, aggregates.tasks_at_least([float(of[task].mean()) for task in shared]))
        for name, of in percents.items()
    ]
    chart = charts.lines(
        aggregates.THRESHOLDS, series, x_label="percent of the expert", label="tasks at or above each percent"
    )
    body = f'<div class="card" style="max-width:560px">{chart}{charts.legend(list(percents))}</div>'
    return html_page.section("Tasks at or above a threshold", body, about=f"Of the {len(shared)} shared tasks.")


def _shared(percents: Mapping[str, summaries.Percents]) -> list[str]:
    return sorted(set.intersection(*(set(of) for of in percents.values())))


def _domains(percents: Mapping[str, summaries.Percents]) -> str:
    shared = _shared(percents)
    totals = {name: summaries.totals({task: of[task] for task in shared}) for name, of in percents.items()}
    rows = []
    for domain in summaries.by_domain({task: np.zeros(1) for task in shared}):
        for name, of in totals.items():
            one = of["domains"][domain]
            mean, iqm = one["mean"], one["iqm"]
            low, high = (mean["value"] if mean[end] is None else mean[end] for end in ("low", "high"))
            bar = bars.bar(mean["value"], low, high, "good" if mean["value"] >= 50 else "fair")
            rows.append(
                f'<tr><td class="task">{escape(domain)} <span class="soft">{escape(name)}</span></td>'
                f'<td class="n"><b>{whole(mean["value"])}</b></td><td class="n soft">{whole(low)} to {whole(high)}</td>'
                f'<td class="bar">{bar}</td><td class="n" data-label="IQM">{whole(iqm["value"])}</td></tr>'
            )
    heads = ["domain, run", ">mean", ">95 % interval", "0 = random, 100 = expert", ">IQM"]
    return html_page.section("Domains", html_page.table(heads, rows)) if rows else ""


def _tasks(percents: Mapping[str, summaries.Percents]) -> str:
    """Task by task; bold where a run's mean is best and its interval ends above all others' means."""
    rows = []
    for task in sorted({task for of in percents.values() for task in of}):
        found = {name: of[task] for name, of in percents.items() if task in of}
        best = max(found, key=lambda name: float(found[name].mean()))
        cells = []
        for name in percents:
            if name not in found:
                cells.append('<td class="n soft">not evaluated</td>')
                continue
            text = whole(float(found[name].mean()))
            sure = name == best and _surely_best(best, found)
            cells.append(f'<td class="n" data-label="{escape(name)}">{f"<b>{text}</b>" if sure else text}</td>')
        rows.append(f'<tr><td class="task">{escape(task)}</td>{"".join(cells)}</tr>')
    about = "Bold: the best run, where the 95 % interval of its lead over each of the others lies above zero."
    return html_page.section("Tasks", html_page.table(["task", *(f">{name}" for name in percents)], rows), about=about)


def _surely_best(best: str, found: Mapping[str, np.ndarray]) -> bool:
    """Whether Welch's interval of the difference to every other run leaves out zero."""
    from scipy import stats

    others = [of for name, of in found.items() if name != best]
    if not others or min(of.size for of in found.values()) < 2:
        return False
    for other in others:
        if not (found[best].std() or other.std()):
            if not found[best].mean() > other.mean():
                return False
            continue
        if not stats.ttest_ind(found[best], other, equal_var=False).confidence_interval().low > 0:
            return False
    return True


def _losses(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    groups = sorted({group for of in records.values() for r in of for group in r.get("group_loss", ())})
    cards = []
    for group in groups:
        curves = {
            name: {r["step"]: r["group_loss"][group] for r in of if group in r.get("group_loss", ())}
            for name, of in records.items()
        }
        steps = sorted({step for curve in curves.values() for step in curve})
        steps = steps[:: max(1, len(steps) // 160)]
        series = [Series(name, [curve.get(step) for step in steps]) for name, curve in curves.items()]
        chart = charts.lines(steps, series, x_label="step", label=f"loss of {group} by step")
        cards.append(f'<div class="card"><h3>{escape(group)}</h3>{chart}</div>')
    if not cards:
        return ""
    body = f'<div class="grid two">{"".join(cards)}</div>{charts.legend(list(records))}'
    return html_page.section("Training losses", body, about="By row group and step, in nats a target.")


def _settings(experiments: Mapping[str, Mapping[str, Any]]) -> str:
    """What the runs were told differently."""
    first, *others = experiments
    lines = [
        f"{other}: {line}" for other in others for line in difference_lines(experiments[first], experiments[other])
    ]
    if not lines:
        return html_page.section("Settings", '<p class="note">All runs have the same settings.</p>')
    items = "".join(f"<li><code>{escape(line)}</code></li>" for line in lines)
    return html_page.section(
        "Settings that differ", f'<ul class="note">{items}</ul>', about=f"Against {escape(first)}."
    )
