"""Sections about training: losses of row groups, validation losses, and the mixture that was drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

from data_pipelines import html_page
from data_pipelines.html_page import escape
from gato_jax.config import Experiment
from gato_jax.evaluation.report import charts
from gato_jax.evaluation.report.charts import Series
from gato_jax.training.mixture_control.controller import weights_in_force

CURVE_POINTS = 160
Records = Sequence[Mapping[str, Any]]


def losses(records: Records) -> str:
    """Training loss by row group."""
    metrics = [record for record in records if "group_loss" in record]
    if not metrics:
        return html_page.section("Losses", '<p class="note">The run kept no metrics.jsonl.</p>')
    thinned = metrics[:: max(1, len(metrics) // CURVE_POINTS)]
    cards = []
    for name in sorted({name for record in metrics for name in record["group_loss"]}):
        points = [(r["step"], r["group_loss"][name]) for r in thinned if name in r["group_loss"]]
        cards.append(_card(name, points, f"loss of {name} by step"))
    about = (
        "Training loss of each row group by step, in nats a target; hovering shows values. Soft targets, where they "
        "are on, put a floor under the loss of continuous actions: losses of different groups are not comparable."
    )
    return html_page.section("Losses", f'<div class="grid two">{"".join(cards)}</div>', about=about)


def validation(records: Records) -> str:
    """Validation loss by task; empty where the run measured none."""
    measured = [record for record in records if "validation" in record]
    if not measured:
        return ""
    domains: dict[str, list[str]] = {}
    for task in sorted({task for record in measured for task in record["validation"]}):
        domains.setdefault(task.partition(".")[0], []).append(task)
    steps = [record["step"] for record in measured]
    cards = []
    for domain, tasks in domains.items():
        series = [Series(task, [r["validation"].get(task, {}).get("loss") for r in measured]) for task in tasks]
        chart = charts.lines(steps, series, x_label="step", label=f"validation loss of {domain} by step")
        names = [task.partition(".")[2] for task in tasks]
        cards.append(f'<div class="card"><h3>{escape(domain)}</h3>{chart}{charts.legend(names)}</div>')
    about = "Loss on held-out data by step, in nats a target, without soft targets; hovering shows values."
    return html_page.section("Validation", f'<div class="grid two">{"".join(cards)}</div>', about=about)


def _card(name: str, points: Sequence[tuple[float, float]], label: str, title: str = "") -> str:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    chart = charts.lines(xs, [Series(name, ys)], x_label="step", label=label)
    last = title or (f"{ys[-1]:.3f}" if ys else "")
    return f'<div class="card"><h3>{escape(name)} <span class="soft">{last}</span></h3>{chart}</div>'


def mixture(experiment: Experiment, records: Records) -> str:
    """Shares as declared and as drawn."""
    rows: dict[str, int] = next((r["task_rows"] for r in reversed(records) if r.get("task_rows")), {})
    steps = experiment.train.steps or 1
    weights = weights_in_force(experiment.data, records)
    declared = dict.fromkeys(experiment.data.mixture.task_names, 0.0)
    for (first, some), end in zip(weights, [*(first for first, _ in weights[1:]), steps], strict=True):
        for task, share in experiment.data.mixture.shares(some).items():
            declared[task] += share * max(0, min(end, steps) - first) / steps
    total = sum(rows.values())
    realised = {task: rows.get(task, 0) / total for task in declared} if total else {}
    largest = max([*declared.values(), *realised.values()])
    lines = [
        f'<tr><td class="task">{escape(task)}</td><td class="n" data-label="declared">{100 * share:.2f} %</td>'
        + (
            f'<td class="n" data-label="realised">{100 * realised[task]:.2f} %</td>'
            if realised
            else '<td class="n soft" data-label="realised">unknown</td>'
        )
        + f'<td class="n" data-label="rows">{rows.get(task, 0):,}</td>'
        + f'<td class="bar">{html_page.share_bar(realised.get(task, share), largest)}</td></tr>'
        for task, share in declared.items()
    ]
    table = html_page.table(["task", ">declared", ">realised", ">rows seen", "realised share"], lines)
    about = "Shares of the rows of a batch: as declared, and as the run really drew them."
    if len(weights) > 1:
        about += " Declared shares changed; the table has their means, and the curves say when."
        shares = [(first, experiment.data.mixture.shares(some)) for first, some in weights if first < steps]
        table += f'<div class="grid two">{"".join(_share_card(task, shares, steps) for task in declared)}</div>'
    return html_page.section("Mixture", table, about=about)


def _share_card(task: str, shares: Sequence[tuple[int, Mapping[str, float]]], steps: int) -> str:
    """A curve of steps: the share of a task in force by step, in percent."""
    ends = [*(first for first, _ in shares[1:]), steps]
    points = [(x, 100 * some[task]) for (first, some), end in zip(shares, ends, strict=True) for x in (first, end)]
    title = f"{points[0][1]:.1f} to {points[-1][1]:.1f} %"
    return _card(task, points, f"share of {task} by step", title)
