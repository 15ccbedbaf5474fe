"""Scores as a table in a terminal."""

import typing

import rich.box
import rich.console
import rich.table
import rich.text

from data_pipelines.words import counted

if typing.TYPE_CHECKING:
    from gato_jax.evaluation.results import EvaluationResult, TaskScore

BAR = 10
WIDE = 104
"""From this many columns on, the returns are shown too."""


class ScoreTable:
    """Every task with its interval, then text and questions, then a line of conclusions; fits 80 columns."""

    def __init__(self, result: "EvaluationResult"):
        self._result = result

    def __rich_console__(
        self, console: rich.console.Console, options: rich.console.ConsoleOptions
    ) -> rich.console.RenderResult:
        if self._result.tasks:
            yield _control(self._result, wide=options.max_width >= WIDE)
        if self._result.language:
            yield _language(self._result)
        yield conclusion(self._result)


def conclusion(result: "EvaluationResult") -> str:
    """What the scores say, in a sentence or two."""
    if not result.tasks:
        return "no control tasks were scored"
    worse = ", ".join(result.below_random) or "none"
    text = (
        f"{result.passed} of {counted(len(result.tasks), 'task')} reach 50 % of the expert; "
        f"below random at 95 % confidence: {worse}"
    )
    return text if result.complete else f"{text} (interrupted: some tasks are missing)"


def _control(result: "EvaluationResult", *, wide: bool) -> rich.table.Table:
    table = rich.table.Table(
        box=rich.box.SIMPLE_HEAD,
        title=f"{result.name}, step {result.step}: percent of expert, {result.episodes} episodes a task",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("task", no_wrap=True)
    for column in ("score", "95 % interval", "success", *(("return", "random", "expert") if wide else ())):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=BAR)
    for name, interval in result.domains().items():
        members = [score for score in result.tasks if score.domain == name]
        for score in members:
            table.add_row(*_row(score, wide=wide))
        if len(members) > 1:
            mean = str(round(interval.mean)), f"{round(interval.low)} to {round(interval.high)}"
            table.add_row(f"{name}, mean", *mean, style="dim")
        table.add_section()
    return table


def _row(score: "TaskScore", *, wide: bool) -> list[rich.text.Text | str]:
    style = "red" if score.below_random else "green" if score.passed else "yellow"
    success = "" if score.success_rate is None else f"{100 * score.success_rate:.0f} %"
    span = "" if score.interval == "none" else f"{round(score.low)} to {round(score.high)}"
    mean = sum(score.returns) / len(score.returns)
    returns = [f"{mean:.4g}", f"{score.random_mean:.3g}", f"{score.expert_mean:.4g}"] if wide else []
    filled = max(0, min(BAR, round(score.percent / 100 * BAR)))
    bar = rich.text.Text("█" * filled + "·" * (BAR - filled), style=style)
    return [score.task, rich.text.Text(str(round(score.percent)), style=f"bold {style}"), span, success, *returns, bar]


def _language(result: "EvaluationResult") -> rich.table.Table:
    table = rich.table.Table(
        box=rich.box.SIMPLE_HEAD, title="text and questions, validation split", title_justify="left", title_style="bold"
    )
    table.add_column("task", no_wrap=True)
    for column in ("nats a token", "right", "95 % interval", "commonest answer"):
        table.add_column(column, justify="right", no_wrap=True)
    for score in result.language:
        if score.accuracy is None or score.low is None or score.high is None or score.majority is None:
            table.add_row(score.task, f"{score.loss:.3f}", "", "", "")
        else:
            span = f"{100 * score.low:.0f} to {100 * score.high:.0f} %"
            shares = f"{100 * score.accuracy:.0f} %", span, f"{100 * score.majority:.0f} %"
            table.add_row(score.task, f"{score.loss:.3f}", *shares)
    return table
