"""Scores as a table in a terminal."""

import typing
from collections.abc import Iterator, Mapping

import rich.box
import rich.console
import rich.table
import rich.text

from data_pipelines.words import counted
from gato_jax.evaluation.metrics import summaries

if typing.TYPE_CHECKING:
    from gato_jax.evaluation.results import EvaluationResult, TaskScore

BAR = 10
WIDE = 104
"""From this many columns on, the returns are shown too."""
BASELINE = 8
"""Columns that a baseline takes."""


class ScoreTable:
    """Every task with its interval, then text and questions, then a line of conclusions; fits 80 columns."""

    def __init__(self, result: "EvaluationResult"):
        self._result = result

    def __rich_console__(
        self, console: rich.console.Console, options: rich.console.ConsoleOptions
    ) -> rich.console.RenderResult:
        if self._result.tasks:
            needed = WIDE + BASELINE * len(_baseline_column(self._result))
            yield _control(self._result, wide=options.max_width >= needed)
        if self._result.language:
            yield _language(self._result)
        yield conclusion(self._result)
        # Not as strings, in which Rich would read brackets as markup.
        yield from map(rich.text.Text, remarks(self._result))


def conclusion(result: "EvaluationResult") -> str:
    """What the scores say, in a sentence or two."""
    if not result.tasks:
        return "no control tasks were scored"
    worse = ", ".join(result.below_random) or "none"
    text = (
        f"{result.passed} of {counted(len(result.tasks), 'task')} reach 50 % of the expert; "
        f"below random at 95 % confidence: {worse}"
    )
    compared = [score for score in result.tasks if score.baseline is not None and score.baseline.percent is not None]
    if compared:
        below = ", ".join(score.task for score in compared if score.below_baseline) or "none"
        text += f"; below {compared[0].baseline_name} play, of {len(compared)}: {below}"
    if result.failed:
        text += f"; {counted(result.failed, 'episode')} failed, counted in no score"
    return text if result.complete else f"{text} (interrupted: some tasks are missing)"


def _control(result: "EvaluationResult", *, wide: bool) -> rich.table.Table:
    table = rich.table.Table(
        box=rich.box.SIMPLE_HEAD,
        title=f"{result.name}, step {result.step}: percent of expert, {result.episodes} episodes a task",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("task", no_wrap=True)
    named = _baseline_column(result)
    for column in ("score", "95 % interval", *named, "success", *(("return", "random", "expert") if wide else ())):
        table.add_column(column, justify="right", no_wrap=True)
    # In 80 columns there is room for a bar or for a baseline.
    bars = wide or not named
    if bars:
        table.add_column("", no_wrap=True, min_width=BAR)
    for name, interval in result.domains().items():
        members = [score for score in result.tasks if score.domain == name]
        for score in members:
            table.add_row(*_row(score, wide=wide, named=bool(named))[: None if bars else -1])
        if len(members) > 1:
            mean = str(round(interval.mean)), f"{round(interval.low)} to {round(interval.high)}"
            table.add_row(f"{name}, mean", *mean, style="dim")
        table.add_section()
    return table


def _baseline_column(result: "EvaluationResult") -> list[str]:
    """The baseline's name, where one was asked for."""
    return [score.baseline_name for score in result.tasks if score.baseline is not None][:1]


def remarks(result: "EvaluationResult") -> Iterator[str]:
    """What the table has no room for: failed episodes, where a baseline does not apply, prompts."""
    for score in result.tasks:
        if score.failures:
            count = len(score.failures) + len(score.returns)
            first = next(iter(score.failures.values()))
            yield f"{score.task}: {len(score.failures)} of {count} episodes failed, the first one so: {first}"
        own = [] if score.baseline is None else [score.baseline]
        for baseline in (*own, *score.others.values()):
            if baseline.why_not:
                yield f"{score.task}: no {baseline.name} play: {baseline.why_not}"
    yield from _totals(result)
    if result.prompts != "none":
        yield f"prompts: {result.prompts}"
    for task, reason in result.unprompted.items():
        yield f"{task}: no prompt: {reason}"


def _totals(result: "EvaluationResult") -> Iterator[str]:
    """All tasks together, the agent's and those of the policies beside it; nothing for a single task."""
    if len(result.tasks) > 1:
        of = summaries.totals(summaries.expert_percents(result.tasks))["all"]
        yield f"all tasks: mean {_aggregate(of['mean'])}, interquartile mean {_aggregate(of['iqm'])}"
    percents: dict[str, list[float]] = {}
    for score in result.tasks:
        for name, other in score.others.items():
            if other.percent is not None:
                percents.setdefault(name, []).append(other.percent)
    for name, values in percents.items():
        yield f"{name}: mean {sum(values) / len(values):.0f} over {counted(len(values), 'task')}"
    if result.packaged:
        yield f"normalised by the package's frozen scores, for want of the data's own: {', '.join(result.packaged)}"


def _aggregate(of: Mapping[str, float | None]) -> str:
    span = "" if of["low"] is None or of["high"] is None else f" ({of['low']:.0f} to {of['high']:.0f})"
    return f"{of['value']:.0f}{span}"


def _row(score: "TaskScore", *, wide: bool, named: bool) -> list[rich.text.Text | str]:
    style = "red" if score.below_random else "green" if score.passed else "yellow"
    success = "" if score.success_rate is None else f"{100 * score.success_rate:.0f} %"
    span = "" if score.interval == "none" else f"{round(score.low)} to {round(score.high)}"
    mean = sum(score.returns) / len(score.returns)
    returns = [f"{mean:.4g}", f"{score.random_mean:.3g}", f"{score.expert_mean:.4g}"] if wide else []
    filled = max(0, min(BAR, round(score.percent / 100 * BAR)))
    bar = rich.text.Text("█" * filled + "·" * (BAR - filled), style=style)
    beside = []
    if named:
        percent = None if score.baseline is None else score.baseline.percent
        beside.append("" if percent is None else str(round(percent)))
    task = score.task if not score.failures else f"{score.task} ({len(score.failures)} failed)"
    grade = rich.text.Text(str(round(score.percent)), style=f"bold {style}")
    return [task, grade, span, *beside, success, *returns, bar]


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
