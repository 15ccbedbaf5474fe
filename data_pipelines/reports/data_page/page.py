"""The page of a data directory: sums, tasks, returns, first frames, and a browser of episodes that plays them."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines import html_page
from data_pipelines.html_page import breakable, escape
from data_pipelines.reports.data_page.browser import browse
from data_pipelines.reports.data_page.episodes import first_frames
from data_pipelines.reports.data_page.style import STYLE
from data_pipelines.reports.data_page.thumbnails import data_uri
from data_pipelines.reports.data_summary import TRAIN, DataSummary, TaskSummary, examples
from data_pipelines.reports.data_table import shown_bytes
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask
from data_pipelines.words import counted

_SCRIPT = Path(__file__).with_name("browser.js")
_FRAMES, _SIDE = 4, 96
_FRAME_BYTES = 5_000
"""About what a first frame takes."""

_STRIPS = 0.2
"""Of the page's size that first frames may take."""

_REST = 2_000
"""Headings, and what is said of what was left out."""


def data_page(summary: DataSummary, *, episodes: int = 3, megabytes: float = 16.0, draw: bool = False) -> str:
    """One self-contained page.

    Args:
      summary: of the data directory.
      episodes: of each task in the browser; of texts and pictures four times as many.
      megabytes: about its size at most; what is left out for that is said in the page.
      draw: let simulators draw episodes whose data hold no pictures, again from their seeds and actions.
    """
    size = 1e6 * megabytes
    head = "".join([_head(summary), _remarks(summary), _tasks(summary), _returns(summary)])
    room = size - _REST - len(head) - len(STYLE) - len(html_page.STYLE) - _SCRIPT.stat().st_size
    browsed = browse(summary.tasks, count=episodes, size=room * (1 - _STRIPS), draw=draw)
    strips, frames_left_out = _first_frames(summary, browsed.drawn, room * _STRIPS)
    left = [*frames_left_out, *(f"{name} cannot be shown: {why}" for name, why in browsed.broken.items())]
    if browsed.left_out:
        left.append(f"left out to keep the page under {megabytes:g} MB: {', '.join(browsed.left_out)}")
    about = (
        "Choose a task and an episode, and play it. A touch on a plot goes to that step. Values are recorded ones; the "
        "reward of a step is that of the action taken there."
    )
    notes = "".join(f'<p class="note">{escape(line)}</p>' for line in left)
    browser = f'<div id="browser"><noscript><p>This part needs JavaScript.</p></noscript></div>{notes}'
    body = [head, strips, html_page.section("Browse", browser, about=about), browsed.script()]
    title = f"{Path(summary.directory).resolve().name}: data"
    return html_page.document(title, "".join(body), style=STYLE, script=_SCRIPT.read_text())


def _head(summary: DataSummary) -> str:
    tasks = summary.tasks
    exact = all(task.exact for task in tasks)
    figures = [
        (f"{len(tasks):,}", "tasks" if len(tasks) != 1 else "task"),
        (_short(sum(task.episodes for task in tasks if task.kind == "control")), "episodes to train on"),
        (_short(sum(task.steps for task in tasks)), "steps of them"),
        (_short(sum(task.tokens for task in tasks)), f"tokens{'' if exact else ', about'}"),
        ("{}<small> {}</small>".format(*shown_bytes(sum(task.bytes for task in tasks)).split()), "on disk"),
    ]
    language = [task for task in tasks if task.kind != "control"]
    if language:
        figures.insert(3, (_short(sum(task.episodes for task in language)), "texts and pictures"))
    counts = f"Tokens as {summary.experiment} makes them, patches included, padding not. "
    held_out = sum(task.held_out for task in tasks)
    counts += f"{held_out:,} held-out examples are counted apart."
    return (
        f"<header><h1>{escape(Path(summary.directory).resolve().name)}</h1>"
        f'<p class="lead">What this data directory holds, task by task.</p>{html_page.tiles(figures)}'
        f'<p class="note">{escape(counts)}</p></header>'
    )


def _remarks(summary: DataSummary) -> str:
    lines = summary.remarks()
    return "".join(f'<p class="tbad">{escape(line)}</p>' for line in lines)


def _tasks(summary: DataSummary) -> str:
    most = max((task.tokens for task in summary.tasks), default=0) or 1
    rows = [_row(task, most) for task in summary.tasks]
    heads = ["task", "kind", ">train", ">held out", ">steps", ">tokens", "share of the largest", ">on disk"]
    return html_page.section("Tasks", f'<div id="tasks">{html_page.table(heads, rows)}</div>')


def _row(task: TaskSummary, most: float) -> str:
    name = f'<a href="#task={escape(task.task)}">{breakable(task.task)}</a>'
    cells = [
        ("train", f"{task.episodes:,}"), ("held out", f"{task.held_out:,}" if task.held_out else ""),
        ("steps", f"{task.steps:,}" if task.kind == "control" else ""),
        ("tokens", ("" if task.exact else "~") + f"{task.tokens:,.0f}"),
    ]  # fmt: skip
    numbers = "".join(
        f'<td class="n" data-label="{label}">{cell}</td>' if cell else "<td></td>" for label, cell in cells
    )
    return (
        f'<tr><td class="task">{name}</td><td class="soft">{escape(task.kind)}</td>{numbers}'
        f'<td class="bar">{html_page.share_bar(task.tokens, most)}</td>'
        f'<td class="n" data-label="on disk">{shown_bytes(task.bytes)}</td></tr>'
    )


def _returns(summary: DataSummary) -> str:
    cards = [_return_card(task) for task in summary.tasks if len(task.returns)]
    without = [task.task for task in summary.tasks if task.kind == "control" and not len(task.returns)]
    note = f'<p class="note">No rewards are recorded of {escape(", ".join(without))}.</p>' if without else ""
    if not cards:
        return html_page.section("Returns", note) if note else ""
    about = (
        "How many episodes have which return, the sum of their rewards. Dashed: the mean of the random policy, and "
        "that of the expert's attempts before any filter, where the directory has scores."
    )
    return html_page.section("Returns", f'<div class="cards">{"".join(cards)}</div>{note}', about=about)


def _return_card(task: TaskSummary) -> str:
    finite = task.returns[np.isfinite(task.returns)]
    markers = {} if task.score is None else {"random": task.score.random, "expert": task.score.expert}
    label = f"returns of {task.task}"
    plot = html_page.histogram(finite.tolist(), label=label, markers=markers) if len(finite) else ""
    low, high = int(task.lengths.min()), int(task.lengths.max())
    steps = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    about = f"{counted(task.episodes, 'episode')} of {steps} steps, mean return {task.returns.mean():.4g}"
    if task.beginnings is not None:
        count, each = task.beginnings
        about += f"; {count:,} of them are beginnings of {each:,} steps"
    if len(finite) < len(task.returns):
        about += f"; {len(task.returns) - len(finite):,} returns are not finite"
    return f'<div class="card"><h3>{breakable(task.task)}</h3><p class="note">{about}</p>{plot}</div>'


def _first_frames(summary: DataSummary, drawn: Mapping[str, Sequence[str]], size: float) -> tuple[str, list[str]]:
    """A strip for each task with pictures, recorded or drawn, and what was left out."""
    count = max(1, min(_FRAMES, int(size / _FRAME_BYTES / max(1, len(summary.tasks)))))
    cards, left, used = [], [], 0
    for task in summary.tasks:
        try:
            card = _strip(task.recorded, drawn.get(task.task, ()), count)
        except DataError as error:
            left.append(f"first frames of {task.task} cannot be shown: {error}")
            continue
        if used + len(card) > size:
            left.append(f"first frames of {task.task} are left out, for the page's size")
            continue
        used += len(card)
        cards += [card] if card else []
    if not cards:
        return "", left
    about = "How the first examples of each task begin, as recorded."
    if drawn:
        about = "How the first examples of each task begin: as recorded, or drawn by the simulator."
    return html_page.section("First frames", f'<div class="cards">{"".join(cards)}</div>', about=about), left


def _strip(task: RecordedTask, drawn: Sequence[str], count: int) -> str:
    images = [f'<img alt="drawn" src="{frame}">' for frame in drawn]
    for name, example in itertools.islice(examples(task, TRAIN), count):
        try:
            files = first_frames(task.spec, task.kind, example)
            images += [f'<img alt="{escape(key)}" src="{data_uri(file, _SIDE)}">' for key, file in files.items()]
        except (KeyError, ValueError) as error:
            raise DataError(f"{name}: {error.args[0]}") from error
    if not images:
        return ""
    link = f'<a href="#task={escape(task.name)}">{breakable(task.name)}</a>'
    return f'<div class="card sharp"><div class="strip">{"".join(images[:count])}</div><h3>{link}</h3></div>'


def _short(value: float) -> str:
    """Three digits and a unit, as HTML."""
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= unit:
            scaled = value / (1e3 if name == "k" else unit)
            return f"{scaled:.3g}<small> {name}</small>"
    return f"{value:,.0f}"
