"""The table of scores, task by task."""

import statistics

from data_pipelines import html_page
from data_pipelines.html_page import escape, whole
from gato_jax.evaluation.metrics import summaries
from gato_jax.evaluation.report import bars
from gato_jax.evaluation.report.overview import OPEN_TASKS
from gato_jax.evaluation.results import EvaluationResult, TaskScore
from gato_jax.evaluation.score_table import remarks
from gato_jax.evaluation.statistics import Interval


def scores(result: EvaluationResult) -> str:
    """The section; a table for each domain, folded where there are many tasks."""
    if not result.tasks:
        return ""
    table = _Table(result)
    domains = result.domains()
    few = len(result.tasks) <= OPEN_TASKS
    if few:
        body = table.of([row for domain, interval in domains.items() for row in table.rows(domain, interval)])
    else:
        parts = [
            f"<details class='card'><summary>{escape(domain)}: {whole(interval.mean)}</summary>"
            f"{table.of(table.rows(domain, interval))}</details>"
            for domain, interval in domains.items()
        ]
        body = f'<div class="stack">{"".join(parts)}</div>'
    partial = "" if result.complete else '<p class="tbad">Interrupted: some tasks are missing.</p>'
    return html_page.section("Scores", partial + body + _remarks(result), about=_about(result, table))


def grade(score: TaskScore) -> str:
    """Green, amber or red."""
    return "bad" if score.below_random else "good" if score.passed else "fair"


def _about(result: EvaluationResult, table: "_Table") -> str:
    text = (
        f"Percent of the expert over {result.episodes} episodes a task on seeds that were never recorded; the agent "
        f"saw {escape(result.context)}. The dashed line is 50 %, the solid one the expert. Intervals are at 95 %: "
        "Wilson's for tasks whose return is success or failure, Student's t of the mean otherwise; the means of expert "
        "and random are taken as fixed. Green: at least 50 %. Amber: less. Red: below random (one-sided permutation "
        "test). Success counts at the last step; where an episode reached it on the way only, that share follows."
    )
    if "1-NN" in table.named:
        text += (
            " 1-NN: the score of playing, on the same seeds, the recorded action at the nearest recorded "
            "observation, which is the floor that an agent should beat; bold where it is higher than the agent's."
        )
    if table.frozen:
        text += (
            f" Frozen: the same returns by the package's frozen scores, version {result.scores['version']}, which "
            "compare between runs."
        )
    if table.human:
        text += " Human: 0 is random play and 100 a person, as published."
    if result.packaged:
        text += f" The data have no scores of {len(result.packaged)} tasks: the package's frozen ones normalise them."
    return text


def _remarks(result: EvaluationResult) -> str:
    """Failed episodes, and tasks that the baseline says nothing about."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in remarks(result))
    return f'<ul class="note">{lines}</ul>' if lines else ""


class _Table:
    """Which columns there are, and what stands in them."""

    def __init__(self, result: EvaluationResult):
        self._result = result
        names = [score.baseline_name for score in result.tasks if score.baseline is not None][:1]
        self.named = list(dict.fromkeys([*names, *(name for score in result.tasks for name in score.others)]))
        self.frozen = {task: of.mean() for task, of in summaries.frozen_percents(result).items()}
        if not result.scores or all(
            abs(self.frozen.get(score.task, score.percent) - score.percent) < 0.5 for score in result.tasks
        ):
            self.frozen = {}
        self.human = {task: of.mean() for task, of in summaries.human_percents(result).items()}
        self._extra = [*self.named, *(["frozen"] if self.frozen else []), *(["human"] if self.human else [])]

    def of(self, rows: list[str]) -> str:
        """The table of these rows."""
        heads = ["task", ">score", ">95 % interval", "0 = random, 100 = expert", *(f">{name}" for name in self._extra)]
        return html_page.table([*heads, ">success", ">return", ">random", ">expert", ">acting"], rows)

    def rows(self, domain: str, interval: Interval) -> list[str]:
        """A domain's tasks, and their mean."""
        members = [score for score in self._result.tasks if score.domain == domain]
        rows = [self._row(score) for score in members]
        if len(members) > 1:
            bar = bars.bar(interval.mean, interval.low, interval.high, "good" if interval.mean >= 50 else "fair")
            rows.append(
                f'<tr class="mean"><td class="task">{escape(domain)}, mean</td>'
                f'<td class="n">{whole(interval.mean)}</td>'
                f'<td class="n">{whole(interval.low)} to {whole(interval.high)}</td>'
                f'<td class="bar">{bar}</td>{"<td></td>" * (len(self._extra) + 5)}</tr>'
            )
        return rows

    def _row(self, score: TaskScore) -> str:
        colour = grade(score)
        span = "" if score.interval == "none" else f"{whole(score.low)} to {whole(score.high)}"
        failed = f' <span class="tbad">({len(score.failures)} failed)</span>' if score.failures else ""
        mean = f"{statistics.mean(score.returns):.4g}"
        cells = {
            **{name: self._contender(score, name) for name in self.named},
            **({"frozen": _rounded(self.frozen.get(score.task))} if self.frozen else {}),
            **({"human": _rounded(self.human.get(score.task))} if self.human else {}),
            "success": _success(score),
            "return": mean,
            "random": f"{score.random_mean:.3g}",
            "expert": f"{score.expert_mean:.4g}",
            "acting": escape(score.decode),
        }
        return (
            f'<tr><td class="task">{escape(score.task)}{failed}</td>'
            f'<td class="n"><b class="t{colour}">{whole(score.percent)}</b></td>'
            f'<td class="n soft">{span}</td>'
            f'<td class="bar">{bars.bar(score.percent, score.low, score.high, colour)}</td>'
            + "".join(
                f'<td class="n" data-label="{escape(label)}">{cell}</td>' if cell else "<td></td>"
                for label, cell in cells.items()
            )
            + "</tr>"
        )

    def _contender(self, score: TaskScore, name: str) -> str:
        """Its score, bold where a baseline that has learnt nothing is better than the agent."""
        baseline = score.baseline if score.baseline_name == name else score.others.get(name)
        if baseline is None or baseline.percent is None:
            return ""
        text = whole(baseline.percent)
        return f"<b>{text}</b>" if score.baseline is baseline and score.below_baseline else text


def _rounded(value: float | None) -> str:
    return "" if value is None else whole(value)


def _success(score: TaskScore) -> str:
    """Share of successes at the end, and on the way where that is more."""
    if score.success_rate is None:
        return ""
    ever = score.ever_rate
    more = f' <span class="soft">({100 * ever:.0f})</span>' if ever is not None and ever > score.success_rate else ""
    return f"{100 * score.success_rate:.0f} %{more}"
