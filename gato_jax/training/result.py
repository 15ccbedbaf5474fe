"""How a run ended: what `train` returns and writes to summary.json."""

import dataclasses
from pathlib import Path

import jax
from jax.sharding import Mesh

from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json
from data_pipelines.words import counted
from gato_jax.config import Experiment
from gato_jax.model.gato import count_parameters
from gato_jax.training import run_directory
from gato_jax.training.checkpoints.checkpoint import versions
from gato_jax.training.logging.metrics import Totals
from gato_jax.training.logging.throughput import tokens_per_step
from gato_jax.training.logging.timer import Timer
from gato_jax.training.step.spec import StepSpec


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """How a call of `train` ended.

    Attributes:
      step, steps: steps done, and the length of the run (None where a budget in minutes was not yet turned into steps).
      loss, loss_step: mean loss of the last record, and the steps done by then; None where none was written.
      seconds: time in the loop, over all interrupts.
      out: the run directory.
      message: all this in a line.
      measured: the last validation, where the run has any, is done.
      signalled: SIGTERM or Ctrl-C came, even if the run ended by itself before the next boundary.
    """

    step: int
    steps: int | None
    loss: float | None
    seconds: float
    out: Path
    message: str
    measured: bool = True
    signalled: bool = False
    loss_step: int | None = None

    @property
    def finished(self) -> bool:
        """All steps and the last validation are done."""
        return self.steps is not None and self.step >= self.steps and self.measured

    @property
    def interrupted(self) -> bool:
        """A signal stopped the run; calling again continues."""
        return not self.finished


def ended(
    step: int,
    steps: int,
    out: Path,
    *,
    seconds: float,
    loss: float | None,
    loss_step: int | None,
    measured: bool,
    signalled: bool,
) -> TrainResult:
    """All steps done, or interrupted and saved."""
    shown = "" if loss is None else f", loss {loss:.4f}"
    if loss_step not in (None, step):
        shown += f" at step {loss_step}, the last record"
    if step >= steps and measured:
        message = f"{out}: trained {counted(steps, 'step')} in {seconds:.0f} s{shown}"
    elif step >= steps:
        message = (
            f"{out}: interrupted; all {counted(steps, 'step')} are saved{shown}, the last validation is still to do"
        )
    elif step == 0:
        return stopped_early(step, steps, out)
    else:
        message = f"{out}: interrupted; saved at step {step} of {steps}{shown}"
    return TrainResult(step, steps, loss, seconds, out, message, measured, signalled, loss_step)


def done_before(steps: int, out: Path, *, seconds: float, loss: float | None) -> TrainResult:
    """Nothing was left to do."""
    shown = "" if loss is None else f", loss {loss:.4f}"
    message = f"{out} is done: all {counted(steps, 'step')} were trained before{shown}; raise train.steps to go on"
    return TrainResult(steps, steps, loss, seconds, out, message)


def summarised(out: Path, steps: int) -> bool:
    """Whether summary.json is of the end. A run that was stopped after its last checkpoint still has to write it."""
    path = out / run_directory.SUMMARY
    if not path.exists():
        return False
    remedy = "delete it; the same command writes it again"
    summary = read_json(path, "the summary of a run", keys={"step": int, "finished": bool}, remedy=remedy)
    return summary["step"] >= steps and summary["finished"]


def stopped_early(step: int, steps: int | None, out: Path) -> TrainResult:
    """A signal before the first step: what is on disk stays as it was."""
    message = f"{out}: interrupted before the first step of this session; nothing to save"
    return TrainResult(step, steps, None, 0.0, out, message)


def write_summary(
    result: TrainResult, experiment: Experiment, spec: StepSpec, totals: Totals, timer: Timer, mesh: Mesh
) -> None:
    """summary.json: the result, sizes, where the time went, rows, tokens and targets per task, devices and versions."""
    names = ("step", "steps", "finished", "interrupted", "loss", "seconds")
    summary = {
        **{name: getattr(result, name) for name in names},
        "name": experiment.name,
        "parameters": count_parameters(spec.model, spec.vocabulary),
        "tokens_per_step": tokens_per_step(spec),
        "tokens_per_second": tokens_per_step(spec) * result.step / max(result.seconds, 1e-9),
        **timer.summary(),
        **totals.seen(),
        "devices": mesh.size,
        "platform": jax.default_backend(),
        "mesh": dict(mesh.shape),
        "versions": versions(),
    }
    write_json(result.out / run_directory.SUMMARY, summary)
