"""What a mixture amounts to on this machine's data: weights, tokens, passes, and the shares that a dry run draws."""

import collections
import dataclasses
import logging
import sys
import time
from typing import Any

import numpy as np

from data_pipelines.config import DataConfig
from data_pipelines.mixtures.named import resolve
from data_pipelines.mixtures.table1 import ROWS
from data_pipelines.reports.utilisation import Utilisation
from data_pipelines.storage.recorded_tasks import recorded_tasks
from data_pipelines.stream import resolve_mixture

_log = logging.getLogger(__name__)

DRY_RUN_SHARDS = 8


@dataclasses.dataclass(frozen=True)
class TaskSummary:
    """One task of a mixture.

    Args:
      task, member: the task, and the row of Table 1, pattern or name that it stands for.
      share: of the rows, in [0, 1], after renormalising; the mean over the schedule where there is one.
      tokens: places that the run draws from it.
      data_tokens: in its recorded training split; None where nothing was counted.
      exact: whether `data_tokens` was counted over all examples, or estimated from the first.
      passes: how often the run reads its data, tokens / data_tokens.
      drawn_rows, drawn_tokens: shares in a dry run, of rows and of tokens that are no padding; else None.
      utilisation: filled places in a dry run, and the bound of whole timesteps; else None.
    """

    task: str
    member: str
    share: float
    tokens: float
    data_tokens: float | None = None
    exact: bool = True
    passes: float | None = None
    drawn_rows: float | None = None
    drawn_tokens: float | None = None
    utilisation: Utilisation | None = None


@dataclasses.dataclass(frozen=True)
class AbsentSummary:
    """A member of which nothing is here: its declared share, what the paper had, and what a user can have."""

    member: str
    share: float
    paper_tokens: float | None
    public: str


@dataclasses.dataclass(frozen=True)
class MixtureSummary:
    """A mixture over a data directory; shares of `tasks` sum to one, those of `absent` are what they should be.

    `unused` has every task that is in the directory and in no member of the mixture, with the reason.
    """

    name: str
    directory: str
    tokens: float
    tasks: tuple[TaskSummary, ...]
    absent: tuple[AbsentSummary, ...]
    dry_run_steps: int = 0
    unused: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def absent_share(self) -> float:
        return sum(member.share for member in self.absent)

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "absent_share": self.absent_share}

    def table(self) -> str:
        """For a terminal."""
        dry = f"; a dry run of {self.dry_run_steps} steps drew rows and tokens" if self.dry_run_steps else ""
        lines = [f"mixture {self.name} over {self.directory}, {_short(self.tokens)} tokens{dry}"]
        if not self.tasks:
            lines = [f"mixture {self.name}: no task of it is in {self.directory}"]
        header = ["task", "share %", "tokens", "in data", "passes"]
        header += ["rows %", "tokens %", "filled %", "bound %"] if self.dry_run_steps else []
        cells = [_cells(task) for task in self.tasks]
        widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
        for index, task in enumerate(self.tasks):
            if index == 0:
                lines.append(_line(header, widths))
            if task.member != task.task and (index == 0 or task.member != self.tasks[index - 1].member):
                lines.append(f"{task.member}:")
            lines.append(_line(cells[index], widths))
        if self.absent:
            lines.append(f"absent, {100 * self.absent_share:.1f} % of the declared weight, dealt over the rest above:")
        for member in self.absent:
            paper = f"; the paper's: {_short(member.paper_tokens)} tokens" if member.paper_tokens else ""
            lines.append(f"  {member.member}: {100 * member.share:.2f} %{paper}; {member.public}".rstrip("; "))
        if self.unused:
            lines.append("here, but in no row or other member of this mixture, so never drawn:")
        lines += [f"  {task}: {why}" for task, why in self.unused.items()]
        return "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    first, *rest = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return "  ".join([f"{cells[0]:<{len(first)}}", *rest]).rstrip()


def _cells(task: TaskSummary) -> list[str]:
    indent = "  " * (task.member != task.task)  # Under the row or pattern that it stands for.
    cells = [indent + task.task, f"{100 * task.share:.2f}", _short(task.tokens)]
    if task.data_tokens is None or task.passes is None:
        cells += ["", ""]
    else:
        cells += [f"{'' if task.exact else '~'}{_short(task.data_tokens)}", _short(task.passes)]
    if task.drawn_rows is None or task.drawn_tokens is None:
        return cells
    cells += [f"{100 * task.drawn_rows:.2f}", f"{100 * task.drawn_tokens:.2f}"]
    used = task.utilisation
    return [*cells, *(["", ""] if used is None else [f"{100 * used.share:.1f}", f"{100 * used.bound:.1f}"])]


def _short(number: float) -> str:
    """1.26e9 as 1.26B."""
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"


def summarise(
    name: str, config: DataConfig, *, tokens: float, dry_run_steps: int = 0, count: bool = True
) -> MixtureSummary:
    """What the mixture `name` is over `config.directory`, whatever mixture `config` itself has.

    Args:
      name: a name or a YAML file.
      config: token, stream and row settings; its groups must take the mixture's tasks.
      tokens: length of the run.
      dry_run_steps: global batches that are really drawn, on at most `DRY_RUN_SHARDS` virtual shards: rates do not
        depend on their number, and the start takes a pipeline for each.
      count: whether the tokens of the data are counted.

    Raises:
      MixtureError, DataError, ValueError: unknown names, or data that do not fit the settings.
    """
    if not 0 < tokens < float("inf"):
        raise ValueError(f"tokens must be a positive number, found {tokens}")
    if dry_run_steps < 0:
        raise ValueError(f"dry_run_steps must not be negative, found {dry_run_steps}")
    resolved = resolve(name, recorded_tasks(config.directory))
    absent = tuple(_absent(member, share) for member, share in resolved.absent.items())
    if not resolved.tasks:
        return MixtureSummary(resolved.name, config.directory, tokens, (), absent, unused=dict(resolved.unused))
    asked = dataclasses.replace(config.mixture, named=name, renormalise=True, weights={}, schedule=())
    config = resolve_mixture.resolve(dataclasses.replace(config, mixture=asked), say=_log.info)
    mixture, rows = config.mixture, config.mixture.rows(config.stream.virtual_shards)
    steps = max(1, round(tokens / sum(count * mixture.groups[group].length for group, count in rows.items())))
    shares = mixture.shares_over(steps)
    # Rates count rows, and rows of different groups differ in length.
    places = {task: share * mixture.groups[mixture.group_of(task)].length for task, share in shares.items()}
    drawn = {task: tokens * part / sum(places.values()) for task, part in places.items()}
    summaries = {task: TaskSummary(task, resolved.origin[task], share, drawn[task]) for task, share in shares.items()}
    if count:
        summaries = _with_counts(summaries, config)
    if dry_run_steps:
        summaries = _with_draws(summaries, config, dry_run_steps)
    in_order = tuple(sorted(summaries.values(), key=lambda task: (task.member, task.task)))
    return MixtureSummary(
        resolved.name, config.directory, tokens, in_order, absent, dry_run_steps, unused=dict(resolved.unused)
    )


def _absent(member: str, share: float) -> AbsentSummary:
    row = next((row for row in ROWS if row.name == member), None)
    return AbsentSummary(member, share, row.tokens if row else None, row.public if row else "")


def _with_counts(summaries: dict[str, TaskSummary], config: DataConfig) -> dict[str, TaskSummary]:
    from data_pipelines.reports.token_totals import count_tokens

    counts = count_tokens(config)
    result = {}
    for task, summary in summaries.items():
        count = counts[task]
        result[task] = dataclasses.replace(
            summary,
            data_tokens=count.tokens,
            exact=count.sampled == count.examples,
            passes=summary.tokens / count.tokens if count.tokens else float("inf"),
        )
    return result


def _with_draws(summaries: dict[str, TaskSummary], config: DataConfig, steps: int) -> dict[str, TaskSummary]:
    from data_pipelines.reports.utilisation import utilisation
    from data_pipelines.stream.stream import Stream

    settings = config.stream
    shards = min(DRY_RUN_SHARDS, settings.virtual_shards)
    buffer = max(1, settings.shuffle_buffer * shards // settings.virtual_shards)
    smaller = dataclasses.replace(settings, virtual_shards=shards, shuffle_buffer=buffer)
    stream = Stream(dataclasses.replace(config, stream=smaller))
    rows: collections.Counter[str] = collections.Counter()
    filled: collections.Counter[str] = collections.Counter()

    def draw():
        begun = time.monotonic()
        for step in range(steps):
            batch = next(stream)
            for group in batch.values():
                used = (group["token_type"] != 0).sum(axis=1)
                for task, count in zip(group["task_id"], used, strict=True):
                    rows[stream.task_names[task]] += 1
                    filled[stream.task_names[task]] += int(count)
            rate = (step + 1) / (time.monotonic() - begun)
            if (step + 1) % max(1, steps // 10) == 0:
                left = (steps - step - 1) / rate
                print(f"dry run: step {step + 1}/{steps}, {rate:.1f} steps/s, {left:.0f} s left", file=sys.stderr)
            yield batch

    try:
        measured = utilisation(config, stream.pipelines.recorded, draw())
    finally:
        stream.close()
    all_rows, all_filled = sum(rows.values()), np.maximum(sum(filled.values()), 1)
    return {
        task: dataclasses.replace(
            summary,
            drawn_rows=rows[task] / all_rows,
            drawn_tokens=float(filled[task] / all_filled),
            utilisation=measured.get(task),
        )
        for task, summary in summaries.items()
    }
