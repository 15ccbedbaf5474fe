"""What others have published of agents like this, beside our own scores. `published.json` names every source."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines import html_page
from data_pipelines.html_page import escape
from data_pipelines.read_json import read_json
from gato_jax.evaluation.metrics import summaries
from gato_jax.evaluation.results import EvaluationResult

PATH = Path(__file__).with_name("published.json")


@dataclasses.dataclass(frozen=True)
class Agent:
    """A published agent.

    Args:
      name, size, citation, url: who it is, and where its figures stand.
      normaliser: what its scores call 0 and 100, and how they are averaged.
      note: why its scores do or do not compare with ours.
      domains: domain -> "mean" or "iqm" in percent, with "low" and "high", and "human_iqm", where published.
      at_least: domain, or "all" -> threshold in percent -> "reach" or "percent" of "tasks".
      tasks: task -> "percent" with its "std", "return", and "human".
    """

    name: str
    size: str
    citation: str
    url: str
    normaliser: str
    note: str
    domains: Mapping[str, Mapping[str, float]]
    at_least: Mapping[str, Mapping[str, Mapping[str, float]]]
    tasks: Mapping[str, Mapping[str, float]]


@functools.cache
def agents() -> tuple[Agent, ...]:
    """All of them, in the order of the file."""
    content = read_json(PATH, "published scores of agents", keys={"agents": list})
    return tuple(Agent(**agent) for agent in content["agents"])


def section(result: EvaluationResult) -> str:
    """The section of the report; empty where nothing published is about a domain of ours."""
    frozen = summaries.frozen_percents(result)
    if not result.tasks or not frozen:
        return ""
    totals = summaries.totals(frozen)
    rows = [_row(domain, of, result) for domain, of in totals["domains"].items()]
    named = [agent.name for agent in agents() if agent.domains]
    heads = ["domain", ">tasks", ">ours, mean", ">ours, IQM", *(f">{name}" for name in named)]
    table = html_page.table(heads, rows)
    about = (
        "Ours: percent of the package's frozen experts, over the tasks that were evaluated here. Others: as published, "
        "which is not the same in any column but where a note says so: read the notes before you compare."
    )
    body = table + _at_least(result, frozen) + _tasks(result, frozen) + _notes()
    return html_page.section("Beside others", body, about=about)


def _row(domain: str, of: Mapping[str, Any], result: EvaluationResult) -> str:
    cells = [f'<td class="n">{of["tasks"]}</td>']
    cells += [
        f'<td class="n">{_with_interval(of[key])}</td>' for name, key in (("ours, mean", "mean"), ("ours, IQM", "iqm"))
    ]
    for agent in agents():
        if agent.domains:
            cells.append(f'<td class="n">{_published(agent, domain)}</td>')
    return f'<tr><td class="task">{escape(domain)}</td>{"".join(cells)}</tr>'


def _published(agent: Agent, domain: str) -> str:
    value = agent.domains.get(domain)
    if value is None:
        return '<span class="soft">none</span>'
    kind = "iqm" if "iqm" in value else "mean"
    human = f'<br><span class="soft">human {value["human_iqm"]:g}</span>' if "human_iqm" in value else ""
    return f'{value[kind]:g} <span class="soft">{"IQM" if kind == "iqm" else "mean"}</span>{human}'


def _with_interval(of: Mapping[str, float | None]) -> str:
    value, low, high = of["value"], of["low"], of["high"]
    span = "" if low is None or high is None else f'<br><span class="soft">{low:.0f} to {high:.0f}</span>'
    return f"{value:.0f}{span}"


def _at_least(result: EvaluationResult, frozen: summaries.Percents) -> str:
    """Shares of tasks that reach half of the expert."""
    lines = []
    for agent in agents():
        of = agent.at_least.get("all", {}).get("50")
        if of is None:
            continue
        share = of["percent"] if "percent" in of else 100 * of["reach"] / of["tasks"]
        lines.append(f"{escape(agent.name)}: {share:.0f} % of {of['tasks']:.0f} tasks")
    reach = sum(float(percents.mean()) >= 50 for percents in frozen.values())
    ours = f"ours: {100 * reach / len(frozen):.0f} % of {len(frozen)} tasks"
    return f'<p class="note">Tasks at half of the expert or more: {"; ".join([ours, *lines])}.</p>'


def _tasks(result: EvaluationResult, frozen: summaries.Percents) -> str:
    """Task by task, where an agent publishes that."""
    human = summaries.human_percents(result)
    parts = []
    for agent in agents():
        shared = [task for task in frozen if task in agent.tasks]
        if not shared:
            continue
        rows: list[Sequence[str]] = []
        for task in shared:
            of = agent.tasks[task]
            people = f"{human[task].mean():.0f}" if task in human else ""
            rows.append(
                (
                    task,
                    f"{frozen[task].mean():.0f}",
                    f"{of['percent']:g} ± {of['std']:g}",
                    people,
                    f"{of.get('human', '')}",
                )
            )
        heads = ["task", ">ours", f">{agent.name} ± std", ">ours, human", f">{agent.name}, human"]
        if not any(row[3] or row[4] for row in rows):
            heads, rows = heads[:3], [row[:3] for row in rows]
        table = html_page.text_table(heads, rows)
        parts.append(f"<details><summary>{len(shared)} tasks beside {escape(agent.name)}</summary>{table}</details>")
    return "".join(parts)


def _notes() -> str:
    items = []
    for agent in agents():
        name = f"<b>{escape(agent.name)}</b>{f' ({escape(agent.size)})' if agent.size else ''}"
        source = f'<span class="soft">{escape(agent.citation)}. {escape(agent.url)}</span>'
        items.append(f"<li>{name}: {escape(agent.normaliser)}. {escape(agent.note)} {source}</li>")
    return f'<ul class="note" style="overflow-wrap:anywhere">{"".join(items)}</ul>'
