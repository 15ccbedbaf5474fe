"""All that happens before the first batch: what is in the run directory, mesh, data, compiled step, state.

Everything that can fail does so here, before compute is spent.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from data_pipelines.schema import Batch
from gato_jax import sharding
from gato_jax.config import Experiment, OnDamaged, PolicyName
from gato_jax.config.encoding import encode
from gato_jax.platform import keep_freed_memory
from gato_jax.training import result, run_directory
from gato_jax.training.checkpoints import checkpoint
from gato_jax.training.checkpoints.schedule import SaveSchedule
from gato_jax.training.distributed.preemption import Preemption, start_distributed
from gato_jax.training.distributed.process_group import Peers
from gato_jax.training.distributed.run_lock import RunLock
from gato_jax.training.distributed.stall_watchdog import Watchdog
from gato_jax.training.logging.backends import Board, TensorBoard, WandB, require_wandb
from gato_jax.training.logging.batch_digest import hash_batches
from gato_jax.training.logging.metrics import MetricsWriter, Totals
from gato_jax.training.logging.not_finite import NotFinite
from gato_jax.training.logging.profile import Profile
from gato_jax.training.logging.progress import Progress
from gato_jax.training.logging.recorder import Recorder, lost_seconds
from gato_jax.training.logging.throughput import Speed, peak_flops, steps_within, time_steps
from gato_jax.training.logging.timer import Timer
from gato_jax.training.mixture_control.controller import Policy, PolicyHook
from gato_jax.training.mixture_control.policies import build_policy, require_validation, resolve_policy
from gato_jax.training.result import TrainResult
from gato_jax.training.step.compiled import CompiledStep
from gato_jax.training.step.flops import hand_count
from gato_jax.training.step.spec import StepSpec, step_spec
from gato_jax.training.step.state import Course, State, abstract_state, course, make_init
from gato_jax.training.validation.in_loop import Validation


class DataStream(Protocol):
    """What training needs of `data_pipelines.stream.stream.Stream`."""

    def __next__(self) -> Mapping[str, Mapping[str, np.ndarray]]: ...

    def position(self) -> dict[str, Any]: ...

    def restore(self, position: dict[str, Any]) -> None: ...

    def set_weights(self, weights: Mapping[str, float]) -> int: ...

    def validation_batches(self, task: str, limit: int) -> list[Batch]: ...

    def close(self) -> None: ...


OpenStream = Callable[[Experiment, int, int], DataStream]


def open_stream(experiment: Experiment, host: int, hosts: int) -> DataStream:
    """The real data. Imports TensorFlow, which is why nothing above does."""
    from data_pipelines.stream.stream import Stream

    return Stream(experiment.data, host=host, hosts=hosts)


@dataclasses.dataclass
class Run:
    """What the loop works with.

    Attributes:
      experiment: resolved: weights of the mixture, and the number of steps.
      step, state: where the loop begins.
      course: `steps` and the seed on the devices, as the compiled step takes them.
    """

    experiment: Experiment
    out: Path
    spec: StepSpec
    mesh: Mesh
    step: int
    steps: int
    state: State
    course: Course
    stream: DataStream
    advance: CompiledStep
    validation: Validation | None
    preemption: Preemption
    checkpoints: checkpoint.Checkpoints
    saving: SaveSchedule
    hook: PolicyHook
    timer: Timer
    totals: Totals
    recorder: Recorder
    profile: Profile
    peers: Peers

    def bundle(self) -> dict[str, Any]:
        """What a checkpoint holds beside the state."""
        return {
            "experiment": encode(self.experiment),
            "position": self.stream.position(),
            "policy": self.hook.state(),
            "totals": self.totals.to_dict(),
            "timer": self.timer.to_dict(),
            "seconds": self.timer.seconds,
            "loss": self.recorder.loss,
            "mesh": dict(self.mesh.shape),
            "processes": jax.process_count(),
        }

    def end(self, step: int, *, measured: bool) -> TrainResult:
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
            seconds=self.timer.seconds,
            loss=self.recorder.loss,
            measured=measured,
            signalled=self.preemption.signalled,
        )
        if jax.process_index() == 0:
            result.write_summary(end, self.experiment, self.spec, self.totals, self.timer, self.mesh)
        return end


def prepare(
    experiment: Experiment,
    out: Path,
    *,
    open_stream: OpenStream,
    policy: Policy | None,
    stack: contextlib.ExitStack,
) -> Run | TrainResult:
    """Gets a run ready, or says that there is nothing to do. What has to be closed is put on `stack`."""
    keep_freed_memory()
    timer = Timer(started=time.monotonic())
    preemption = stack.enter_context(Preemption())
    start_distributed(experiment.train)
    peers = stack.enter_context(Peers(wait_seconds=60 * experiment.train.wait_minutes))
    preemption.join(peers)
    experiment = resolve_policy(resolve_data(experiment))
    config, steps = experiment.train, experiment.train.steps
    if config.wandb is not None and jax.process_index() == 0:
        require_wandb()
    checkpoints = checkpoint.Checkpoints(out / checkpoint.DIRECTORY, keep=config.keep, keep_every=config.keep_every)
    stack.callback(checkpoints.close)
    progress = stack.enter_context(Progress())
    if jax.process_index() == 0:
        stack.enter_context(RunLock(out, say=progress.say))

    if policy is not None and config.policy.name is not PolicyName.NONE:
        raise ValueError(f"train(policy=) and train.policy {config.policy.name.value!r} are both given; drop one")
    policy = policy or build_policy(experiment)
    hook = PolicyHook(policy, experiment.data.mixture.task_names, experiment.data.stream.segment_steps)

    # What is there already? A directory keeps one experiment.
    step, meta = _resume_from(checkpoints, config.on_damaged, progress.say), None
    if step:
        meta = checkpoints.meta(step)
        run_directory.check_resume(experiment, meta["experiment"], where=checkpoints.directory / str(step))
        saved_steps = int(meta["experiment"]["train"]["steps"])
        if steps not in (None, saved_steps):
            progress.say(f"the run's length changes from {saved_steps} to {steps} steps")
        steps = steps or saved_steps
        hook.restore(meta.get("policy"))
        if step >= steps and result.summarised(out, steps):
            return result.done_before(steps, out, seconds=meta["seconds"], loss=meta["loss"])

    # Mesh, data and the compiled step.
    spec = step_spec(experiment)
    mesh = sharding.make_mesh(experiment.mesh)
    stack.enter_context(jax.set_mesh(mesh))
    for rows in experiment.data.mixture.scheduled_rows(experiment.data.stream.virtual_shards):
        sharding.check_rows(rows, mesh)
    stream = open_stream(experiment, jax.process_index(), jax.process_count())
    stack.callback(stream.close)
    advance = CompiledStep(experiment, mesh, progress.say)
    create = make_init(spec, mesh)
    validation = Validation.build(experiment, spec, mesh, stream)
    require_validation(experiment, validation.tasks if validation else ())

    # A budget in minutes becomes steps here, once, from throw-away steps on the real data.
    if steps is None:
        position = stream.position()
        each = _time_steps(create, stream, advance, course(mesh, steps=1, seed=config.seed), preemption)
        if each is not None:
            steps = steps_within(60 * (config.minutes or 0.0) - timer.wall, each=each)
            stream.restore(position)
            progress.say(f"{config.minutes} minutes are {steps} steps of {1000 * each:.0f} ms on this machine")
    if steps is None or preemption.requested():
        return result.stopped_early(step, steps, out)
    experiment = run_directory.with_steps(experiment, steps)
    if jax.process_index() == 0:
        run_directory.write_config(experiment, out)

    # State: restored, or born sharded.
    on_devices = course(mesh, steps=steps, seed=config.seed)
    totals = Totals(experiment.data.mixture.task_names, tuple(spec.groups))
    if meta is None:
        state = create(on_devices)
    else:
        state = checkpoints.restore(step, abstract_state(spec, mesh))
        stream.restore(meta["position"])
        totals.restore(meta["totals"])
        if "timer" in meta:  # Not in the checkpoints of 0.1.
            timer.restore(meta["timer"], lost=lost_seconds(out, meta["timer"]["wall"], step=step))
        progress.say(f"continuing from step {step}")
    recorder = Recorder(
        experiment.train,
        steps=steps,
        totals=totals,
        timer=timer,
        speed=Speed(
            spec,
            step=step,
            steps=steps,
            flops=hand_count(spec, dict(mesh.shape)).needed,
            peak=peak_flops(config.peak_tflops, mesh, progress.say),
        ),
        hook=hook,
        not_finite=NotFinite(out, on_nan=config.on_nan, tasks=experiment.data.mixture.task_names),
        progress=progress,
        writer=stack.enter_context(_writer(experiment, out, step)) if jax.process_index() == 0 else None,
    )
    recorder.loss = None if meta is None else meta["loss"]
    peers.barrier("ready")
    stall = Watchdog(timer, out, seconds=60 * config.stall_minutes, peers=peers, say=progress.say)
    stack.enter_context(stall)
    return Run(
        experiment=experiment,
        out=out,
        spec=spec,
        mesh=mesh,
        step=step,
        steps=steps,
        state=state,
        course=on_devices,
        stream=stream,
        advance=advance,
        validation=validation,
        preemption=preemption,
        checkpoints=checkpoints,
        saving=SaveSchedule(config, step=step, steps=steps),
        hook=hook,
        timer=timer,
        totals=totals,
        recorder=recorder,
        profile=stack.enter_context(Profile(config.profile, out, say=progress.say)),
        peers=peers,
    )


def resolve_data(experiment: Experiment) -> Experiment:
    """A named mixture becomes weights over the tasks that are there."""
    if not experiment.data.mixture.named:
        return experiment
    from data_pipelines.stream import (
        resolve_mixture,  # Imports TensorFlow, which must not come before `start_distributed`.
    )

    return dataclasses.replace(experiment, data=resolve_mixture.resolve(experiment.data))


def _resume_from(checkpoints: checkpoint.Checkpoints, on_damaged: OnDamaged, say: Callable[[str], None]) -> int:
    """The newest whole checkpoint; 0 where there is none. The first host looks, and decides for all."""
    step = 0
    while jax.process_index() == 0 and (step := checkpoints.latest() or 0):
        try:
            checkpoints.verify(step)
            break
        except checkpoint.CheckpointError as error:
            if on_damaged is OnDamaged.STOP:
                raise
            say(f"{error}; set aside as {checkpoints.set_aside(step)}")
    if jax.process_count() > 1:
        step = int(multihost_utils.broadcast_one_to_all(np.asarray(step, np.int32)))
    return step


def _writer(experiment: Experiment, out: Path, step: int) -> MetricsWriter:
    boards: list[Board] = [TensorBoard(out / "tensorboard", purge_step=step)]
    if experiment.train.wandb is not None:
        boards.append(WandB(experiment.train.wandb, out, config=encode(experiment)))
    return MetricsWriter(out, start_step=step, boards=boards)


def _time_steps(
    create: Callable[[Course], State],
    stream: DataStream,
    advance: CompiledStep,
    course: Course,
    preemption: Preemption,
) -> float | None:
    """Seconds of one step with its data, None where interrupted. The state is thrown away."""
    state = create(course)

    def one() -> None:
        nonlocal state
        batches = next(stream)
        hash_batches(batches)
        state, metrics = advance(state, batches, course)
        jax.block_until_ready(metrics)

    return time_steps(one, stop=preemption.requested)
