"""Sections about all tasks together: thresholds, domains, and every episode."""

from collections.abc import Mapping
from typing import Any

from data_pipelines import html_page
from data_pipelines.html_page import escape, whole
from data_pipelines.words import counted
from gato_jax.evaluation.metrics import summaries
from gato_jax.evaluation.report import bars, charts
from gato_jax.evaluation.report.charts import Mark
from gato_jax.evaluation.results import EvaluationResult, TaskScore

OPEN_TASKS = 24
"""Up to so many tasks, every domain is shown unfolded."""


def overview(result: EvaluationResult) -> str:
    """How many tasks reach what, and the domains with their intervals."""
    if not result.tasks:
        return ""
    percents = summaries.expert_percents(result.tasks)
    thresholds, totals = summaries.thresholds(percents), summaries.totals(percents)
    tips = [
        f"{percent} % and more: {count} of {counted(len(percents), 'task')}"
        for percent, count in zip(thresholds["percent"], thresholds["tasks"], strict=True)
    ]
    chart = charts.stacked(
        thresholds["percent"], thresholds["domains"], x_label="percent of the expert", tips=tips,
        label="tasks at or above each percent of the expert, by domain",
    )  # fmt: skip
    curve = (
        f'<div class="card"><h3>Tasks at or above a threshold</h3>{chart}{charts.legend(list(totals["domains"]))}</div>'
    )
    about = (
        "Left: how many tasks reach a percentage of their expert (Gato, figure 5). Right: means over the tasks of a "
        "domain with 95 % intervals (stratified bootstrap over episodes), and below them the interquartile mean (IQM), "
        "the mean of the middle half of all episodes."
    )
    body = f'<div class="grid two">{curve}<div class="card"><h3>Domains</h3>{_domains(totals)}</div></div>'
    return html_page.section("Overview", body + _human(result), about=about)


def _domains(totals: Mapping[str, Any]) -> str:
    rows = "".join(_domain(name, of) for name, of in totals["domains"].items())
    overall = totals["mean_over_domains"]
    mean = f"mean over domains <b>{whole(overall['value'])}</b>{_span(overall)}"
    everything = f"all tasks: mean <b>{whole(totals['all']['mean']['value'])}</b>{_span(totals['all']['mean'])}, "
    everything += f"IQM <b>{whole(totals['all']['iqm']['value'])}</b>{_span(totals['all']['iqm'])}"
    return f'{rows}<p class="note">{mean}; {everything}</p>'


def _domain(name: str, of: Mapping[str, Any]) -> str:
    mean, iqm = of["mean"], of["iqm"]
    low, high = mean["low"], mean["high"]
    grade = "good" if mean["value"] >= 50 else "fair" if mean["value"] > 0 else "bad"
    bar = bars.bar(mean["value"], mean["value"] if low is None else low, mean["value"] if high is None else high, grade)
    return (
        f'<div class="domain"><span>{escape(name)} <span class="soft">{counted(of["tasks"], "task")}</span></span>'
        f"<span><b>{whole(mean['value'])}</b>{_span(mean)}</span>{bar}"
        f'<span class="note">IQM {whole(iqm["value"])}{_span(iqm)}</span></div>'
    )


def _span(of: Mapping[str, float | None]) -> str:
    low, high = of["low"], of["high"]
    return "" if low is None or high is None else f' <span class="soft">{whole(low)} to {whole(high)}</span>'


def _human(result: EvaluationResult) -> str:
    human = summaries.totals(summaries.human_percents(result))
    if not human:
        return ""
    of = human["all"]
    return (
        f'<p class="note">Of {counted(of["tasks"], "task")} scores of people are published; there 0 is random '
        f"play, 100 a person: mean <b>{whole(of['mean']['value'])}</b>{_span(of['mean'])}, IQM "
        f"<b>{whole(of['iqm']['value'])}</b>{_span(of['iqm'])}.</p>"
    )


def episodes(result: EvaluationResult) -> str:
    """The return of every episode, task by task."""
    if not result.tasks:
        return ""
    parts = []
    unfold = " open" if len(result.tasks) <= OPEN_TASKS else ""
    for domain in result.domains():
        members = [score for score in result.tasks if score.domain == domain]
        rows = "".join(
            f'<div class="strip"><span>{html_page.breakable(score.task)}</span>'
            f"{charts.strip(_marks(score), label=f'percent of the expert by episode of {score.task}')}</div>"
            for score in members
        )
        title = f"{escape(domain)} <span class='soft'>{counted(len(members), 'task')}</span>"
        parts.append(f'<details{unfold} class="card"><summary>{title}</summary>{rows}</details>')
    about = (
        "A dot is an episode, at its percent of the expert; lines stand at 0, 50 and 100 %, and what lies below -20 or "
        "above 140 stands at the edge. Red: no success at its last step. Hovering names the seed and the return."
    )
    return html_page.section("Every episode", f'<div class="stack">{"".join(parts)}</div>', about=about)


def _marks(score: TaskScore) -> list[Mark]:
    marks = []
    for i, percent in enumerate(score.percents):
        tip = f"seed {score.seeds[i]}: return {score.returns[i]:.4g} ({percent:.0f} %), {score.lengths[i]} steps"
        if score.success:
            ever = bool(score.ever) and score.ever[i]
            tip += ", success" if score.success[i] else ", success on the way only" if ever else ", no success"
        if score.truncated and score.truncated[i]:
            tip += ", cut by its limit of steps"
        marks.append(Mark(float(percent), tip, bool(score.success) and not score.success[i]))
    return marks
