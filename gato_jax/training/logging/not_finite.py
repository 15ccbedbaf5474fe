"""Batches whose loss or gradients are not finite: what they held is written down, then the run stops or skips them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_pipelines.atomic_files import write_json
from data_pipelines.schema import Batch
from gato_jax.config import OnNan
from gato_jax.training.logging.batch_digest import row_digests

DIRECTORY = "not_finite"
IN_A_ROW = 20


class NotFinite:
    """Looks at the metrics of every step.

    Args:
      out: run directory; a batch goes to `not_finite/step-<n>-process-<i>.json`, with this host's rows.
      tasks: names in the order of `task_id`.
    """

    def __init__(self, out: Path, *, on_nan: OnNan, tasks: Sequence[str]):
        self._directory, self._on_nan, self._tasks = out / DIRECTORY, on_nan, tuple(tasks)
        self._in_a_row = 0

    def skipped(self, step: int, metrics: Mapping[str, Any], batches: Mapping[str, Batch]) -> bool:
        """Whether the step left everything as it was.

        Raises:
          FloatingPointError: it is not finite, and the run has to stop; names the tasks and the file.
        """
        if metrics["finite"]:
            self._in_a_row = 0
            return False
        self._in_a_row += 1
        path, tasks = self._write(step, metrics, batches)
        if self._on_nan is OnNan.SKIP and self._in_a_row < IN_A_ROW:
            return True
        groups = {name: float(value) for name, value in metrics["group_loss"].items()}
        blamed = ", ".join(tasks) or "none"
        advice = "lower optimizer.learning_rate or set optimizer.clip"
        if self._on_nan is OnNan.SKIP:
            advice = f"{IN_A_ROW} batches in a row were skipped, so it is not the data; {advice}"
        raise FloatingPointError(
            f"step {step}: the loss is {float(metrics['loss'])} and the gradient norm "
            f"{float(metrics['gradient_norm'])} (groups: {groups}; tasks that are not finite: {blamed}); "
            f"{advice}. Nothing of this step was saved; its rows are listed in {path}."
        )

    def _write(self, step: int, metrics: Mapping[str, Any], batches: Mapping[str, Batch]) -> tuple[Path, list[str]]:
        tasks = [name for name, total in zip(self._tasks, metrics["task_loss_sum"]) if not np.isfinite(total)]
        rows = {
            group: [
                {"task": self._tasks[task], "digest": digest.tobytes().hex()}
                for task, digest in zip(batch["task_id"], row_digests(batch))
            ]
            for group, batch in batches.items()
        }
        path = self._directory / f"step-{step}-process-{jax.process_index()}.json"
        values = {name: repr(float(metrics[name])) for name in ("loss", "gradient_norm")}
        write_json(path, {"step": step, **values, "tasks_not_finite": tasks, "rows": rows})
        return path, tasks
