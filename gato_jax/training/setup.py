"""All that happens before the first batch: what is in the run directory, mesh, data, compiled step, state.

Everything that can fail does so here, before compute is spent.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from data_pipelines.config_json import encode
from gato_jax import sharding
from gato_jax.config import ControllerName, Experiment, OnDamaged, TrainConfig
from gato_jax.platform import keep_freed_memory
from gato_jax.training import result, run_directory
from gato_jax.training.checkpoints import checkpoint
from gato_jax.training.checkpoints.schedule import SaveSchedule
from gato_jax.training.data_stream import DataStream, OpenStream, resolve_data
from gato_jax.training.distributed.join import start_distributed
from gato_jax.training.distributed.preemption import Preemption
from gato_jax.training.distributed.process_group import Peers
from gato_jax.training.distributed.run_lock import RunLock
from gato_jax.training.distributed.stall_watchdog import Watchdog
from gato_jax.training.initial_weights import InitialWeights, OpenWeights, begin_with, with_digest_of, with_whole_path
from gato_jax.training.logging.backends import Board, TensorBoard, WandB, require_wandb
from gato_jax.training.logging.batch_digest import hash_batches
from gato_jax.training.logging.metrics import MetricsWriter, Totals
from gato_jax.training.logging.not_finite import NotFinite
from gato_jax.training.logging.profile import Profile
from gato_jax.training.logging.progress import Progress
from gato_jax.training.logging.recorder import Recorder, lost_seconds
from gato_jax.training.logging.throughput import Speed, peak_flops, steps_within, time_steps
from gato_jax.training.logging.timer import Timer
from gato_jax.training.mixture_control.build import build_controller, require_validation, resolve_controller
from gato_jax.training.mixture_control.controller import ControllerHook, MixtureController
from gato_jax.training.run import Log, Program, Run
from gato_jax.training.step.compiled import CompiledStep
from gato_jax.training.step.flops import hand_count
from gato_jax.training.step.optimizer import length_change, schedule_warning
from gato_jax.training.step.spec import step_spec
from gato_jax.training.step.state import Course, State, abstract_state, course, make_init
from gato_jax.training.validation.in_loop import Validation


def set_up(
    experiment: Experiment,
    out: Path,
    open_stream: OpenStream,
    open_weights: OpenWeights,
    controller: MixtureController | None,
    stack: contextlib.ExitStack,
) -> Run | result.TrainResult:
    """Gets a run ready, or says that there is nothing to do. What has to be closed is put on `stack`."""
    keep_freed_memory()
    timer = Timer(started=time.monotonic())
    preemption, peers = _join(experiment.train, stack)
    experiment = with_whole_path(resolve_controller(resolve_data(experiment)))
    config = experiment.train
    checkpoints, progress, lock = _enter_directory(config, out, stack)
    hook = _controller_hook(experiment, controller)

    begin = _resume(experiment, checkpoints, progress.say)
    if begin.meta is not None:
        hook.restore(begin.meta.get("policy"))
        if begin.steps is not None and begin.step >= begin.steps and result.summarised(out, begin.steps):
            return result.done_before(begin.steps, out, seconds=begin.meta["seconds"], loss=begin.meta["loss"])

    initial = open_weights(experiment) if begin.meta is None and experiment.train.init_from is not None else None
    mesh = _enter_mesh(experiment, stack)
    stream = open_stream(experiment, jax.process_index(), jax.process_count())
    stack.callback(stream.close)
    program = _compile(experiment, mesh, stream, progress.say)
    steps = begin.steps or _steps_in_budget(experiment.train, program, stream, timer, preemption, progress.say)
    if steps is None or preemption.requested():
        return result.stopped_early(begin.step, steps, out)
    experiment = with_digest_of(run_directory.with_steps(experiment, steps), begin.meta)
    on_devices = course(mesh, steps=steps, seed=config.seed)
    state = _state(program, checkpoints, begin, on_devices)
    if initial is not None:
        state, experiment = begin_with(initial, state, experiment, out)
    _tell(experiment, initial, out, progress.say)
    if begin.meta is not None:  # Before the log is cut to the checkpoint: the stream may refuse.
        _continue(stream, begin.step, begin.meta, progress.say)
    log = _log(experiment, out, program, begin, steps, timer, hook, progress, stack)
    peers.barrier("ready")
    stack.enter_context(Watchdog(timer, out, seconds=60 * config.stall_minutes, peers=peers, say=progress.say))
    return Run(
        experiment,
        out,
        step=begin.step,
        steps=steps,
        state=state,
        course=on_devices,
        stream=stream,
        program=program,
        checkpoints=checkpoints,
        saving=SaveSchedule(config, step=begin.step, steps=steps),
        hook=hook,
        log=log,
        preemption=preemption,
        peers=peers,
        lock=lock,
    )


def _join(config: TrainConfig, stack: contextlib.ExitStack) -> tuple[Preemption, Peers]:
    """This process among the others. Signals are caught first: joining can take minutes."""
    preemption = stack.enter_context(Preemption())
    start_distributed(config)
    peers = stack.enter_context(Peers(wait_seconds=60 * config.wait_minutes))
    preemption.join(peers)
    return preemption, peers


def _enter_directory(
    config: TrainConfig, out: Path, stack: contextlib.ExitStack
) -> tuple[checkpoint.Checkpoints, Progress, RunLock | None]:
    """Opens the run directory, which the first host locks against other runs."""
    if config.wandb is not None and jax.process_index() == 0:
        require_wandb()
    progress = stack.enter_context(Progress())
    lock = stack.enter_context(RunLock(out, say=progress.say)) if jax.process_index() == 0 else None
    checkpoints = checkpoint.Checkpoints(
        out / checkpoint.DIRECTORY, keep=config.keep, keep_every=config.keep_every, say=progress.say
    )
    stack.callback(checkpoints.close)  # Before the lock is given back: what is being saved is still this run's.
    if jax.process_index() == 0:
        checkpoints.tidy()
    return checkpoints, progress, lock


def _controller_hook(experiment: Experiment, controller: MixtureController | None) -> ControllerHook:
    """Raises `ValueError` where two controllers are given."""
    config = experiment.train.mixture_controller
    if controller is not None and config.name is not ControllerName.NONE:
        raise ValueError(
            f"train(mixture_controller=) and train.mixture_controller {config.name.value!r} are both given; drop one"
        )
    controller = controller or build_controller(experiment)
    return ControllerHook(controller, experiment.data.mixture.task_names, experiment.data.stream.reseed_every)


@dataclasses.dataclass(frozen=True)
class _Begin:
    """Where a run begins: its step, the checkpoint's bundle there (None = fresh), and the run's length if known."""

    step: int
    meta: Mapping[str, Any] | None
    steps: int | None


def _resume(experiment: Experiment, checkpoints: checkpoint.Checkpoints, say: Callable[[str], None]) -> _Begin:
    """What the directory holds already. It keeps one experiment.

    Raises:
      RunMismatch: it is another one, or longer than what is asked for.
      CheckpointError: the newest checkpoint is damaged, and `train.on_damaged` is STOP.
    """
    step, steps = _newest_whole(checkpoints, experiment.train.on_damaged, say), experiment.train.steps
    if not step:
        return _Begin(0, None, steps)
    meta = checkpoints.meta(step)
    run_directory.check_resume(experiment, meta["experiment"], where=checkpoints.directory / str(step))
    saved_steps = int(meta["experiment"]["train"]["steps"])
    if steps is not None and steps < step:
        raise run_directory.RunMismatch(
            f"train.steps: expected at least the {step:,} steps that {checkpoints.directory / str(step)} has, found "
            f"{steps:,}; a shorter run needs another directory"
        )
    if steps not in (None, saved_steps):
        say(length_change(experiment.optimizer, step=step, before=saved_steps, after=steps))
    return _Begin(step, meta, steps or saved_steps)


def _newest_whole(checkpoints: checkpoint.Checkpoints, on_damaged: OnDamaged, say: Callable[[str], None]) -> int:
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


def _enter_mesh(experiment: Experiment, stack: contextlib.ExitStack) -> Mesh:
    """Raises `ValueError` where the rows of some phase do not divide over the devices."""
    mesh = sharding.make_mesh(experiment.mesh)
    stack.enter_context(jax.set_mesh(mesh))
    for rows in experiment.data.mixture.scheduled_rows(experiment.data.stream.virtual_shards):
        sharding.check_rows(rows, mesh)
    return mesh


def _compile(experiment: Experiment, mesh: Mesh, stream: DataStream, say: Callable[[str], None]) -> Program:
    spec = step_spec(experiment)
    advance = CompiledStep(experiment, mesh, say)
    validation = Validation.build(experiment, spec, mesh, stream)
    require_validation(experiment, validation.tasks if validation else ())
    return Program(spec, mesh, make_init(spec, mesh), advance, validation)


def _steps_in_budget(
    config: TrainConfig,
    program: Program,
    stream: DataStream,
    timer: Timer,
    preemption: Preemption,
    say: Callable[[str], None],
) -> int | None:
    """A budget in minutes becomes steps here, once, from throw-away steps on the real data; None where interrupted."""
    position = stream.position()
    on_devices = course(program.mesh, steps=1, seed=config.seed)
    state = program.create(on_devices)

    def one() -> None:
        nonlocal state
        batches = next(stream)
        hash_batches(batches)
        state, metrics = program.advance(state, batches, on_devices)
        jax.block_until_ready(metrics)

    each = time_steps(one, stop=preemption.requested)
    if each is None:
        return None
    steps = steps_within(60 * (config.minutes or 0.0) - timer.wall, each=each)
    stream.restore(position)
    say(f"{config.minutes} minutes are {steps} steps of {1000 * each:.0f} ms on this machine")
    return steps


def _state(program: Program, checkpoints: checkpoint.Checkpoints, begin: _Begin, on_devices: Course) -> State:
    """Restored, or born sharded."""
    if begin.meta is None:
        return program.create(on_devices)
    return checkpoints.restore(begin.step, abstract_state(program.spec, program.mesh))


def _continue(stream: DataStream, step: int, meta: Mapping[str, Any], say: Callable[[str], None]) -> None:
    stream.restore(meta["position"])
    say(f"continuing from step {step}")


def _tell(experiment: Experiment, initial: InitialWeights | None, out: Path, say: Callable[[str], None]) -> None:
    """The first host writes the resolved config, and says what a person should know before the first step."""
    steps = experiment.train.steps
    if jax.process_index() or steps is None:
        return
    run_directory.write_config(experiment, out)
    for line in initial.lines() if initial is not None else ():
        say(line)
    if (warning := schedule_warning(experiment.optimizer, steps)) is not None:
        say(warning)


def _log(
    experiment: Experiment,
    out: Path,
    program: Program,
    begin: _Begin,
    steps: int,
    timer: Timer,
    hook: ControllerHook,
    progress: Progress,
    stack: contextlib.ExitStack,
) -> Log:
    """What counts and writes, going on from the checkpoint."""
    config, tasks = experiment.train, experiment.data.mixture.task_names
    totals = Totals(tasks, tuple(program.spec.groups))
    if begin.meta is not None:
        totals.restore(begin.meta["totals"])
        if "timer" in begin.meta:  # Not in the checkpoints of 0.1.
            saved = begin.meta["timer"]
            timer.restore(saved, lost=lost_seconds(out, saved["wall"], step=begin.step))
    recorder = Recorder(
        config,
        steps=steps,
        totals=totals,
        timer=timer,
        speed=_speed(config, program, begin.step, steps, progress.say),
        hook=hook,
        not_finite=NotFinite(out, on_nan=config.on_nan, tasks=tasks),
        progress=progress,
        writer=stack.enter_context(_writer(experiment, out, begin.step)) if jax.process_index() == 0 else None,
    )
    if begin.meta is not None:
        recorder.loss, recorder.loss_step = begin.meta["loss"], begin.meta.get("loss_step")  # Younger than 0.1.
    return Log(timer, totals, recorder, stack.enter_context(Profile(config.profile, out, say=progress.say)))


def _speed(config: TrainConfig, program: Program, step: int, steps: int, say: Callable[[str], None]) -> Speed:
    spec, mesh = program.spec, program.mesh
    needed = hand_count(spec, dict(mesh.shape)).needed
    return Speed(spec, step=step, steps=steps, flops=needed, peak=peak_flops(config.peak_tflops, mesh, say))


def _writer(experiment: Experiment, out: Path, step: int) -> MetricsWriter:
    boards: list[Board] = [TensorBoard(out / "tensorboard", purge_step=step)]
    if experiment.train.wandb is not None:
        boards.append(WandB(experiment.train.wandb, out, config=encode(experiment)))
    return MetricsWriter(out, start_step=step, boards=boards)
