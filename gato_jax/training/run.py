"""A run that is ready: what the loop works with, and how it ends."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from data_pipelines.config_json import encode
from gato_jax.config import Experiment
from gato_jax.training import result
from gato_jax.training.checkpoints.checkpoint import Checkpoints
from gato_jax.training.checkpoints.schedule import SaveSchedule
from gato_jax.training.data_stream import DataStream
from gato_jax.training.distributed.preemption import Preemption
from gato_jax.training.distributed.process_group import Peers
from gato_jax.training.distributed.run_lock import RunLock
from gato_jax.training.logging.metrics import Totals
from gato_jax.training.logging.profile import Profile
from gato_jax.training.logging.recorder import Recorder
from gato_jax.training.logging.timer import Timer
from gato_jax.training.mixture_control.controller import ControllerHook
from gato_jax.training.step.compiled import CompiledStep
from gato_jax.training.step.spec import StepSpec
from gato_jax.training.step.state import Course, State
from gato_jax.training.validation.in_loop import Validation


@dataclasses.dataclass(frozen=True)
class Program:
    """What is compiled for the mesh.

    Attributes:
      create: course of the run -> fresh state.
      advance: (state, this host's batches, course) -> (next state, metrics).
    """

    spec: StepSpec
    mesh: Mesh
    create: Callable[[Course], State]
    advance: CompiledStep
    validation: Validation | None


@dataclasses.dataclass(frozen=True)
class Log:
    """What counts and writes."""

    timer: Timer
    totals: Totals
    recorder: Recorder
    profile: Profile


@dataclasses.dataclass(frozen=True)
class Run:
    """What the loop works with.

    Attributes:
      experiment: resolved: weights of the mixture, and the number of steps.
      step, state: where the loop begins.
      lock: of the run directory; only the first host has it.
      course: `steps` and the seed on the devices, as the compiled step takes them.
    """

    experiment: Experiment
    out: Path
    step: int
    steps: int
    state: State
    course: Course
    stream: DataStream
    program: Program
    checkpoints: Checkpoints
    saving: SaveSchedule
    hook: ControllerHook
    log: Log
    preemption: Preemption
    peers: Peers
    lock: RunLock | None

    def asked_to_stop(self) -> bool:
        """Whether a signal came; ask at every boundary. Raises `RunLocked` where the directory is another run's now."""
        if self.lock is not None:
            self.lock.check()
        return self.preemption.requested()

    def bundle(self) -> dict[str, Any]:
        """What a checkpoint holds beside the state."""
        return {
            "experiment": encode(self.experiment),
            "position": self.stream.position(),
            "policy": self.hook.state(),
            "totals": self.log.totals.to_dict(),
            "timer": self.log.timer.to_dict(),
            "seconds": self.log.timer.seconds,
            "loss": self.log.recorder.loss,
            "loss_step": self.log.recorder.loss_step,
            "mesh": dict(self.program.mesh.shape),
            "processes": jax.process_count(),
        }

    def end(self, step: int, *, measured: bool) -> result.TrainResult:
        """All steps done, or interrupted and saved; waits for the disk and the others, and writes summary.json.

        Args:
          measured: no validation that was due at `step` is left to do.
        """
        self.checkpoints.wait()
        self.peers.barrier("end")
        end = result.ended(
            step,
            self.steps,
            self.out,
            seconds=self.log.timer.seconds,
            loss=self.log.recorder.loss,
            loss_step=self.log.recorder.loss_step,
            measured=measured,
            signalled=self.preemption.signalled,
        )
        if jax.process_index() == 0:
            spec, mesh = self.program.spec, self.program.mesh
            result.write_summary(end, self.experiment, spec, self.log.totals, self.log.timer, mesh)
        return end
