"""What a run writes while it trains: metrics.jsonl, TensorBoard, and a progress line."""

import copy
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from gato_jax.files import write_bytes

JSONL = "metrics.jsonl"


class Totals:
    """Sums of step metrics since the last record, and rows per task since the first step.

    They are part of a checkpoint, so a resumed run writes the records that the whole run would have written.
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
        self.task_rows = [a + int(b) for a, b in zip(self.task_rows, metrics["task_rows"], strict=True)]

    def skip(self, metrics: Mapping[str, Any]) -> None:
        """A step that was not finite: its rows were seen, and nothing was learned."""
        self.skipped_steps += 1
        self.task_rows = [a + int(b) for a, b in zip(self.task_rows, metrics["task_rows"], strict=True)]

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
        seen = {task: sums for task, sums in by_task.items() if sums[2]}
        seen_domains = {domain: sums for domain, sums in by_domain.items() if sums[2]}
        found = {
            "loss": self.loss / n,
            "group_loss": {group: value / n for group, value in self.group_loss.items()},
            "task_loss": {task: loss / count for task, (loss, _, count) in seen.items()},
            "task_accuracy": {task: correct / count for task, (_, correct, count) in seen.items()},
            "domain_loss": {domain: loss / count for domain, (loss, _, count) in seen_domains.items()},
            "domain_accuracy": {domain: correct / count for domain, (_, correct, count) in seen_domains.items()},
            "loss_tokens": round(sum(self.task_targets)),
            "gradient_norm": self.gradient_norm / n,
            "task_rows": dict(zip(self.tasks, self.task_rows, strict=True)),
            "skipped_steps": self.skipped_steps,
        }
        if self.budget_overflows:
            found["budget_overflows"] = self.budget_overflows
        self.steps, self.loss, self.gradient_norm = 0, 0.0, 0.0
        self.group_loss = dict.fromkeys(self.group_loss, 0.0)
        self.task_loss_sum = [0.0] * len(self.tasks)
        self.task_targets = [0.0] * len(self.tasks)
        self.task_correct = [0.0] * len(self.tasks)
        return found

    def to_dict(self) -> dict[str, Any]:
        """A copy: checkpoints are written in the background, while these sums go on."""
        return copy.deepcopy({name: value for name, value in vars(self).items() if name != "tasks"})

    def restore(self, data: Mapping[str, Any]) -> None:
        for name, value in data.items():
            setattr(self, name, value)


class MetricsWriter:
    """Appends records to metrics.jsonl and TensorBoard.

    Records at or after `start_step` are what a run wrote after the checkpoint it resumes from: they are dropped.
    """

    def __init__(self, out: Path, *, start_step: int):
        path = out / JSONL
        if path.exists():
            kept = [json.dumps(record) + "\n" for record in read_records(out) if record["step"] < start_step]
            write_bytes(path, "".join(kept).encode())
        self._file = path.open("a", buffering=1)
        self._board = _TensorBoard(out / "tensorboard", purge_step=start_step)

    def write(self, record: Mapping[str, Any]) -> None:
        """One record; nested dicts of numbers become TensorBoard tags joined by "/"."""
        self._file.write(json.dumps(record) + "\n")
        self._board.write(int(record["step"]), dict(_scalars(record)))

    def close(self) -> None:
        self._file.close()
        self._board.close()

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_records(out: Path) -> list[dict[str, Any]]:
    """The records of a run directory, without a last line that a crash cut short; none where there is no file."""
    path = out / JSONL
    lines = path.read_text().splitlines() if path.exists() else []
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ValueError(f"{path}, line {number}: not JSON ({error})") from error
    return records


def _scalars(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and name != "step":
            yield prefix + name, float(value)


class _TensorBoard:
    """Scalar events through TensorBoard's own writer, which needs no TensorFlow of ours."""

    def __init__(self, directory: Path, *, purge_step: int):
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = event_pb2, summary_pb2
        self._writer = EventFileWriter(os.fspath(directory))
        if purge_step:
            # Tells TensorBoard to forget what an earlier process wrote past the checkpoint.
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._writer.add_event(event_pb2.Event(wall_time=time.time(), step=purge_step, session_log=start))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        values = [self._summary.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        summary = self._summary.Summary(value=values)
        self._writer.add_event(self._event.Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        self._writer.close()


class Progress:
    """One line that updates itself in a terminal; elsewhere a plain line now and then."""

    def __init__(self, *, plain_seconds: float = 10.0):
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._plain_seconds, self._last = plain_seconds, -math.inf

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._live is not None:
            self._console.print(text, highlight=False, markup=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def update(self, text: str, *, force: bool = False) -> None:
        """The line that changes."""
        if self._live is not None:
            self._live.update(Text(text), refresh=True)
        elif force or time.monotonic() - self._last > self._plain_seconds:
            self._last = time.monotonic()
            self.say(text)


def progress_text(step: int, steps: int, record: Mapping[str, Any]) -> str:
    """Such as "step 200/2000  loss 3.21  dm_control 4.90  18,300 tokens/s  eta 4:05"."""
    groups = "  ".join(f"{name} {value:.3f}" for name, value in record["group_loss"].items())
    eta = int(record["eta_seconds"])
    clock = f"{eta // 3600}:{eta // 60 % 60:02d}:{eta % 60:02d}" if eta >= 3600 else f"{eta // 60}:{eta % 60:02d}"
    return (
        f"step {step:,}/{steps:,}  loss {record['loss']:.4f}  {groups}  "
        f"{record['tokens_per_second']:,.0f} tokens/s  eta {clock}"
    )
