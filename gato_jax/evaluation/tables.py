"""Scores as a table in a terminal."""

import typing

import rich.box
import rich.console
import rich.table
import rich.text

if typing.TYPE_CHECKING:
    from gato_jax.evaluation.results import EvaluationResult, TaskScore

BAR = 20


def scores(result: "EvaluationResult") -> rich.console.Group:
    """Every task with its interval, then text and questions, then one line of conclusions."""
    parts: list[rich.console.RenderableType] = []
    if result.tasks:
        parts.append(_control(result))
    if result.language:
        parts.append(_language(result))
    parts.append(conclusion(result))
    return rich.console.Group(*parts)


def conclusion(result: "EvaluationResult") -> str:
    """What the scores say, in a sentence or two."""
    if not result.tasks:
        return "no control tasks were scored"
    worse = ", ".join(result.below_random) or "none"
    text = (
        f"{result.passed} of {len(result.tasks)} tasks reach 50 % of the expert; "
        f"below random at 95 % confidence: {worse}"
    )
    return text if result.complete else f"{text} (interrupted: some tasks are missing)"


def _control(result: "EvaluationResult") -> rich.table.Table:
    table = rich.table.Table(
        box=rich.box.SIMPLE_HEAD,
        title=f"{result.name}, step {result.step}: percent of expert (0 = random, 100 = expert), "
        f"{result.episodes} episodes a task",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("task", no_wrap=True)
    for column in ("score", "95 % interval", "success", "return", "random", "expert"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=BAR)
    domains = result.domains()
    for name, interval in domains.items():
        members = [score for score in result.tasks if score.domain == name]
        for score in members:
            table.add_row(*_row(score))
        if len(members) > 1:
            span = f"{interval.low:.0f} to {interval.high:.0f}"
            table.add_row(f"{name}, mean", f"{interval.mean:.0f}", span, "", "", "", "", "", style="dim")
        table.add_section()
    return table


def _row(score: "TaskScore") -> list[rich.text.Text | str]:
    style = "red" if score.below_random else "green" if score.passed else "yellow"
    success = "" if score.success_rate is None else f"{100 * score.success_rate:.0f} %"
    span = "" if score.interval == "none" else f"{score.low:.0f} to {score.high:.0f}"
    mean = sum(score.returns) / len(score.returns)
    filled = max(0, min(BAR, round(score.percent / 100 * BAR)))
    return [
        score.task,
        rich.text.Text(f"{score.percent:.0f}", style=f"bold {style}"),
        span,
        success,
        f"{mean:.4g}",
        f"{score.random_mean:.3g}",
        f"{score.expert_mean:.4g}",
        rich.text.Text("█" * filled + "·" * (BAR - filled), style=style),
    ]


def _language(result: "EvaluationResult") -> rich.table.Table:
    table = rich.table.Table(
        box=rich.box.SIMPLE_HEAD, title="text and questions, validation split", title_justify="left", title_style="bold"
    )
    table.add_column("task", no_wrap=True)
    for column in ("loss, nats a token", "right answers", "95 % interval", "always the commonest"):
        table.add_column(column, justify="right", no_wrap=True)
    for score in result.language:
        if score.accuracy is None:
            table.add_row(score.task, f"{score.loss:.3f}", "", "", "")
        else:
            span = f"{100 * score.low:.0f} to {100 * score.high:.0f} %"
            shares = f"{100 * score.accuracy:.0f} %", span, f"{100 * score.majority:.0f} %"
            table.add_row(score.task, f"{score.loss:.3f}", *shares)
    return table
