"""What a run really saw of each task: rows, tokens, loss tokens, passes; and whether its weights planned that."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from data_pipelines.atomic_files import write_json
from data_pipelines.config import DataConfig
from data_pipelines.read_json import read_json
from gato_jax.training.mixture_control.controller import Weights, weights_in_force

FALSE_ALARMS = 1e-6
"""Probability with which a task of a right stream is called wrong: over a thousand runs of ten tasks, 1 %."""

COUNTS = "data_tokens.json"


def check_rows(
    rows: Mapping[str, int], data: DataConfig, *, weights: Weights = (), steps: int = 1
) -> dict[str, dict[str, Any]]:
    """Task -> {"rows", "share", "planned", "p", "within"}: an exact binomial test of each task within its row group.

    A group's rows are dealt exactly, and inside a group every row is an independent draw. Where weights changed, the
    test is of the mean share over the run's rows: rows drawn at changing shares scatter less than at their mean (W.
    Hoeffding, 1956), so a right stream is called wrong even more seldom.

    Args:
      rows: drawn of each task.
      data: mixture and stream.
      weights: by step; those of the mixture if empty.
      steps: length of the run; needed where weights change.
    """
    planned = planned_rows(data, weights or weights_in_force(data), steps)
    every, total, by_task = sum(planned.values()), sum(rows.values()), {}
    for group in data.mixture.groups.values():
        drawn, expected = sum(rows[task] for task in group.tasks), sum(planned[task] for task in group.tasks)
        for task in group.tasks:
            inside = min(planned[task] / expected, 1.0)
            p = float(binomtest(int(rows[task]), int(drawn), inside).pvalue)
            by_task[task] = {
                "rows": int(rows[task]),
                "share": rows[task] / total,
                "planned": planned[task] / every,
                "p": p,
                "within": p >= FALSE_ALARMS,
            }
    return by_task


def planned_rows(data: DataConfig, weights: Weights, steps: int) -> dict[str, float]:
    """Task -> rows that so many steps draw of it on average."""
    planned = dict.fromkeys(data.mixture.task_names, 0.0)
    ends = [*(first for first, _ in weights[1:]), steps]
    for (first, some), end in zip(weights, ends, strict=True):
        shares = data.mixture.realised_shares(data.stream.virtual_shards, some)
        for task, share in shares.items():
            planned[task] += share * data.mixture.rows_per_step * max(0, min(end, steps) - first)
    return planned


def realised(
    summary: Mapping[str, Any],
    data: DataConfig,
    *,
    records: Iterable[Mapping[str, Any]] = (),
    data_tokens: Mapping[str, float] | None = None,
) -> dict[str, dict[str, Any]]:
    """Task -> `check_rows`, and {"tokens", "loss_tokens", "passes"}; None = not counted.

    Args:
      summary: of the run, as in summary.json.
      data: mixture and stream of the run.
      records: of metrics.jsonl; needed for a run with a mixture controller.
      data_tokens: task -> tokens of its training split, for the passes over it.
    """
    by_task = check_rows(summary["task_rows"], data, weights=weights_in_force(data, records), steps=summary["step"])
    for task, of in by_task.items():
        tokens, loss_tokens = ((summary.get(name) or {}).get(task) for name in ("task_tokens", "task_loss_tokens"))
        whole = (data_tokens or {}).get(task)
        passes = tokens / whole if tokens is not None and whole else None
        by_task[task] = {**of, "tokens": tokens, "loss_tokens": loss_tokens, "passes": passes}
    return by_task


def data_tokens(out: Path, data: DataConfig) -> dict[str, float]:
    """Task -> tokens of its training split, counted once for a sweep directory (`reports.token_totals`)."""
    path = out / COUNTS
    if not path.exists():
        from data_pipelines.reports.token_totals import count_tokens

        write_json(path, {task: count.tokens for task, count in count_tokens(data).items()})
    return read_json(path, "tokens by task", remedy="delete it; they are counted again")
