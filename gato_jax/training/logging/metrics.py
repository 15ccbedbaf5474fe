"""The numbers of a run: sums over steps, and metrics.jsonl."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_bytes
from gato_jax.training.logging.backends import Board
from gato_jax.training.run_directory import JSONL, read_records


class Totals:
    """Sums of step metrics since the last record; rows, tokens and targets per task since the first step.

    Tokens are places that are no padding. All are part of a checkpoint, so a resumed run writes the records that the
    whole run would have written.
    """

    def __init__(self, tasks: Sequence[str], groups: Sequence[str]):
        self.tasks = tuple(tasks)
        self.steps = 0
        self.loss = 0.0
        self.gradient_norm = 0.0
        self.group_loss = dict.fromkeys(groups, 0.0)
        self.task_loss_sum = [0.0] * len(self.tasks)
        self.task_targets = [0.0] * len(self.tasks)
        self.task_correct = [0.0] * len(self.tasks)
        self.task_rows = [0] * len(self.tasks)
        # None after the checkpoint of a version that did not count them.
        self.task_tokens: list[int] | None = [0] * len(self.tasks)
        self.task_loss_tokens: list[int] | None = [0] * len(self.tasks)
        self.budget_overflows = 0
        self.skipped_steps = 0

    def add(self, metrics: Mapping[str, Any]) -> None:
        """One step's metrics, as NumPy."""
        self.steps += 1
        self.loss += float(metrics["loss"])
        self.gradient_norm += float(metrics["gradient_norm"])
        for group in self.group_loss:
            self.group_loss[group] += float(metrics["group_loss"][group])
        for name in ("task_loss_sum", "task_targets", "task_correct"):
            setattr(self, name, [a + float(b) for a, b in zip(getattr(self, name), metrics[name], strict=True)])
        self.budget_overflows += int(metrics.get("budget_overflow", 0))
        self._see(metrics)
        if self.task_loss_tokens is not None:
            pairs = zip(self.task_loss_tokens, metrics["task_targets"], strict=True)
            self.task_loss_tokens = [a + int(b) for a, b in pairs]

    def _see(self, metrics: Mapping[str, Any]) -> None:
        self.task_rows = [a + int(b) for a, b in zip(self.task_rows, metrics["task_rows"], strict=True)]
        if self.task_tokens is not None:
            self.task_tokens = [a + int(b) for a, b in zip(self.task_tokens, metrics["task_tokens"], strict=True)]

    def skip(self, metrics: Mapping[str, Any]) -> None:
        """A step that was not finite: its rows were seen, and nothing was learned."""
        self.skipped_steps += 1
        self._see(metrics)

    def record(self) -> dict[str, Any]:
        """Means since the last record; rows per task, overflows and skipped steps of the whole run.

        Starts the next interval.

        A domain is the part of a task's name before the dot.
        """
        n = max(self.steps, 1)
        by_task = dict(zip(self.tasks, zip(self.task_loss_sum, self.task_correct, self.task_targets), strict=True))
        by_domain: dict[str, tuple[float, ...]] = {}
        for task, sums in by_task.items():
            domain = task.partition(".")[0]
            by_domain[domain] = tuple(map(sum, zip(by_domain.get(domain, (0.0, 0.0, 0.0)), sums)))
        with_targets = {task: sums for task, sums in by_task.items() if sums[2]}
        seen_domains = {domain: sums for domain, sums in by_domain.items() if sums[2]}
        record = {
            "loss": self.loss / n,
            "group_loss": {group: value / n for group, value in self.group_loss.items()},
            "task_loss": {task: loss / count for task, (loss, _, count) in with_targets.items()},
            "task_accuracy": {task: correct / count for task, (_, correct, count) in with_targets.items()},
            "domain_loss": {domain: loss / count for domain, (loss, _, count) in seen_domains.items()},
            "domain_accuracy": {domain: correct / count for domain, (_, correct, count) in seen_domains.items()},
            "loss_tokens": round(sum(self.task_targets)),
            "gradient_norm": self.gradient_norm / n,
            "task_rows": dict(zip(self.tasks, self.task_rows, strict=True)),
            "skipped_steps": self.skipped_steps,
        }
        if self.budget_overflows:
            record["budget_overflows"] = self.budget_overflows
        self.steps, self.loss, self.gradient_norm = 0, 0.0, 0.0
        self.group_loss = dict.fromkeys(self.group_loss, 0.0)
        self.task_loss_sum = [0.0] * len(self.tasks)
        self.task_targets = [0.0] * len(self.tasks)
        self.task_correct = [0.0] * len(self.tasks)
        return record

    def to_dict(self) -> dict[str, Any]:
        """A copy: checkpoints are written in the background, while these sums go on."""
        return copy.deepcopy({name: value for name, value in vars(self).items() if name != "tasks"})

    def restore(self, data: Mapping[str, Any]) -> None:
        self.task_tokens = self.task_loss_tokens = None
        for name, value in data.items():
            setattr(self, name, value)

    def seen(self) -> dict[str, dict[str, int] | None]:
        """{"task_rows", "task_tokens", "task_loss_tokens": {task: since the first step}}; None = not counted."""
        counts = {name: getattr(self, name) for name in ("task_rows", "task_tokens", "task_loss_tokens")}
        return {k: None if v is None else dict(zip(self.tasks, v, strict=True)) for k, v in counts.items()}


class MetricsWriter:
    """Appends records to metrics.jsonl and draws them on boards.

    Records at or after `start_step` are what a run wrote after the checkpoint it resumes from: they are dropped.
    """

    def __init__(self, out: Path, *, start_step: int, boards: Sequence[Board]):
        path = out / JSONL
        if path.exists():
            kept_lines = [json.dumps(record) + "\n" for record in read_records(out) if record["step"] < start_step]
            write_bytes(path, "".join(kept_lines).encode())
        self._file = path.open("a", buffering=1)
        self._boards = tuple(boards)

    def write(self, record: Mapping[str, Any]) -> None:
        """One record; nested dicts of numbers become names of curves joined by "/"."""
        self._file.write(json.dumps(record) + "\n")
        for board in self._boards:
            board.write(int(record["step"]), dict(_scalars(record)))

    def close(self) -> None:
        self._file.close()
        for board in self._boards:
            board.close()

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _scalars(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and name != "step":
            yield prefix + name, float(value)
