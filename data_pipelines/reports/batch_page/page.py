"""One self-contained HTML page about a batch: what it holds per task, and rows as a person sees them."""

import dataclasses

import numpy as np

from data_pipelines import html_page
from data_pipelines.config import DataConfig
from data_pipelines.fingerprint import needs_text
from data_pipelines.html_page import escape
from data_pipelines.reports.batch_page.batches import Shown, read_step
from data_pipelines.reports.batch_page.rows import RowWriter
from data_pipelines.reports.batch_page.style import STYLE
from data_pipelines.reports.utilisation import utilisation
from data_pipelines.stream.resolve_mixture import resolve
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.vocabulary import TokenType


def inspect_page(config: DataConfig, *, rows: int = 4, step: int = 0, seed: int | None = None, task: str = "") -> str:
    """The batch of one step as HTML: a summary of all its rows, then the first `rows` rows of each group.

    Args:
      config: the data configuration.
      rows: rows per group.
      step: which step of the stream.
      seed: another seed of the stream than the configured one.
      task: only rows of this task, of the first step from `step` on that has one.

    Raises:
      ValueError: no such task, row or step; and what `stream.Stream` raises.
    """
    if rows < 1 or step < 0:
        raise ValueError(f"a page needs at least one row and a step of at least 0, found rows = {rows}, step = {step}")
    if seed is not None:
        config = dataclasses.replace(config, stream=dataclasses.replace(config.stream, seed=seed))
    return page_of(read_step(resolve(config), step, task), rows=rows, task=task)


def page_of(shown: Shown, *, rows: int, task: str = "") -> str:
    """The page about a batch; arguments as in `inspect_page`."""
    config = shown.config
    title = f"Batch at step {shown.step}, seed {config.stream.seed}"
    parts = [f"<h1>{title}</h1>", _legend(shown), _summary(shown)]
    if shown.read_whole:
        names = escape(", ".join(shown.read_whole))
        parts.append(f"<p class=soft>Read whole by every shard (few examples): {names}.</p>")
    writer = RowWriter(config.tokens, shown.recorded, _text(shown))
    for name, group in sorted(config.mixture.groups.items()):
        batch = shown.batch[name]
        chosen = np.arange(len(batch["task_id"]))
        if task:
            chosen = np.flatnonzero(batch["task_id"] == config.mixture.task_names.index(task))
        if not len(chosen):
            continue
        parts.append(
            f"<h2>{escape(name)}</h2><p class=soft>{len(batch['task_id'])} rows of {group.windows} windows of "
            f"{group.window_length} places, {group.patches} patches; {int(batch['loss_mask'].sum())} targets in the "
            f"batch; {shown.weights[name]:.1%} of the loss.</p>"
        )
        for index in chosen[:rows]:
            row = {field: values[index] for field, values in batch.items()}
            prompt = None if shown.prompts is None else shown.prompts[name][index]
            own = config.mixture.task_names[int(row["task_id"])]
            parts.append(writer.row(own, group, row, prompt, int(index)))
    return html_page.document(f"gato-jax: {title}", "".join(parts), style=STYLE)


def _text(shown: Shown) -> TextTokenizer | None:
    """The text model, if any task needs it."""
    if not any(needs_text(shown.config, task) for task in shown.recorded.values()):
        return None
    return TextTokenizer(resolve_text_model(shown.config.tokens.text_model, shown.config.directory))


def _legend(shown: Shown) -> str:
    cells = [f'<i class="k{int(kind)}">{kind.name.lower()}</i>' for kind in TokenType]
    cells.append("<i class=loss>carries loss</i>")
    if shown.prompts is None:
        cells.append("<span class=soft>this experiment has no prompts</span>")
    else:
        cells.append("<i class=prompt>prompt: timesteps of another episode</i>")
    hint = (
        "A thick line marks the start of a sequence; attention stays inside a sequence. Hover over a place for its id "
        "and position."
    )
    return f"<p class=legend>{''.join(cells)}</p><p class=soft>{hint}</p>"


def _summary(shown: Shown) -> str:
    """A line for every task: shares, rows, places by type, targets, prompts, utilisation."""
    config, kinds = shown.config, list(TokenType)
    used = utilisation(config, shown.recorded, [shown.batch])
    numbers = ["declared", "dealt", "rows", *(kind.name.lower() for kind in kinds), "targets", "prompts", "filled"]
    lines = []
    for number, task in enumerate(config.mixture.task_names):
        group = config.mixture.group_of(task)
        batch = shown.batch[group]
        own = batch["task_id"] == number
        counts = [int((batch["token_type"][own] == kind).sum()) for kind in kinds]
        cells = [task, group, f"{config.mixture.shares()[task]:.2%}", f"{shown.realised[task]:.2%}"]
        cells += [str(int(own.sum())), *map(str, counts), str(int(batch["loss_mask"][own].sum()))]
        cells.append(
            "-" if shown.prompts is None else str(_prompted(shown.prompts[group][own], batch["segment_ids"][own]))
        )
        cells += [f"{used[task].share:.1%}", f"{used[task].of_bound:.1%}"] if task in used else ["-", "-"]
        lines.append(cells)
    head = ["task", "group", *(f">{name}" for name in (*numbers, "of the bound"))]
    return f"<div id=summary>{html_page.text_table(head, lines)}</div>"


def _prompted(prompt: np.ndarray, segment_ids: np.ndarray) -> int:
    """Sequences that begin with a prompt."""
    return sum(len(np.unique(ids[marked])) for marked, ids in zip(prompt, segment_ids, strict=True))
