"""The log: metrics are fetched one step late, checked, summed, and written where a record is due."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from data_pipelines.schema import Batch
from gato_jax.config import TrainConfig
from gato_jax.training.checkpoints.schedule import record_due
from gato_jax.training.logging.batch_digest import hash_batches
from gato_jax.training.logging.metrics import MetricsWriter, Totals
from gato_jax.training.logging.not_finite import NotFinite
from gato_jax.training.logging.progress import Progress
from gato_jax.training.logging.throughput import Speed
from gato_jax.training.logging.timer import Timer
from gato_jax.training.mixture_control.controller import ControllerHook
from gato_jax.training.run_directory import read_records


class Recorder:
    """Takes the metrics of each step and writes those of the step before it, so that no device waits for the host.

    Args:
      writer: None on all hosts but the first.

    Attributes:
      loss, loss_step: mean loss of the last record, and the steps done by then; None before it.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        steps: int,
        totals: Totals,
        timer: Timer,
        speed: Speed,
        hook: ControllerHook,
        not_finite: NotFinite,
        progress: Progress,
        writer: MetricsWriter | None,
    ):
        self._config, self._steps, self._totals, self._timer = config, steps, totals, timer
        self._speed, self._hook, self._progress, self._writer = speed, hook, progress, writer
        self._not_finite = not_finite
        self._pending: tuple[int, dict[str, Any], Mapping[str, Batch]] | None = None
        self.loss: float | None = None
        self.loss_step: int | None = None
        self._first = True

    def loaded(self) -> None:
        """`next(data)` is over; it cost nothing if the devices are still busy with the step before."""
        if self._pending is not None and not self._pending[1]["loss"].is_ready():
            self._timer.overlapped()

    def push(self, step: int, metrics: dict[str, Any], batches: Mapping[str, Batch]) -> None:
        """Logs the step before, and keeps this one."""
        self.flush()
        self._pending = (step, metrics, batches)

    def flush(self) -> None:
        """Logs what is pending.

        Raises:
          FloatingPointError: its loss or gradients are not finite, and the run has to stop.
        """
        if self._pending is None:
            return
        (step, metrics, batches), self._pending = self._pending, None
        with self._timer.part("step", step):  # The wait for the devices.
            metrics = jax.device_get(metrics)
        if self._first:
            self._first = False
            self._speed.first_step_done(step + 1)
        with self._timer.part("log", step):
            if self._not_finite.skipped(step, metrics, batches):
                self._totals.skip(metrics)
                self._progress.say(f"step {step} was skipped: its loss or gradients are not finite")
            else:
                self._totals.add(metrics)
                self._hook.add(metrics)
            if record_due(step, self._config, self._steps):
                self._write(step, metrics, batches)

    def write_validation(self, step: int, by_task: Mapping[str, Mapping[str, float]]) -> None:
        """Held-out losses before step `step`."""
        self._hook.add_validation(by_task)
        if self._writer is not None:
            self._writer.write({"step": step, "validation": by_task})
            losses = "  ".join(f"{task} {values['loss']:.4f}" for task, values in by_task.items())
            self._progress.say(f"step {step:,}: validation loss  {losses}")

    def write_weights(self, step: int, record: Mapping[str, Any] | None) -> None:
        """What a controller wants after step `step` (`ControllerHook.update`)."""
        if self._writer is not None and record is not None:
            self._writer.write({"step": step, **record})

    def _write(self, step: int, metrics: Mapping[str, Any], batches: Mapping[str, Batch]) -> None:
        record = {"step": step, **self._totals.record(), "learning_rate": float(metrics["learning_rate"])}
        self.loss, self.loss_step = record["loss"], step + 1
        record |= self._speed.measure(step + 1) | self._timer.measure(step + 1)
        if self._config.hash_batches:
            record["batch_hash"] = hash_batches(batches)
        if self._writer is not None:
            self._writer.write(record)
            self._progress.update(step + 1, self._steps, record)


def lost_seconds(out: Path, wall: float, *, step: int) -> float:
    """Wall seconds that earlier sessions spent after the checkpoint of `step`, as far as their records tell."""
    late = [record.get("wall_seconds", 0.0) for record in read_records(out) if record["step"] >= step]
    return max([0.0, *(seconds - wall for seconds in late)])
