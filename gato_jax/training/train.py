"""The training loop: one function, read from top to bottom.

At every boundary, in this order: evaluate, save, next(data), step, log. Saving comes before the next batch is drawn, so
a checkpoint's data position is the batch that its step has not seen. Metrics are fetched one step late, so the device
never waits for the host.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np

from gato_jax import sharding
from gato_jax.config import Experiment
from gato_jax.files import write_json
from gato_jax.model.gato import count_parameters
from gato_jax.serialize import encode
from gato_jax.training import checkpoint, run_directory
from gato_jax.training.config import Distributed, TrainConfig
from gato_jax.training.evaluate import place_rows, step_spec
from gato_jax.training.metrics import MetricsWriter, Progress, Totals, check_finite, progress_text
from gato_jax.training.preemption import Preemption, start_distributed
from gato_jax.training.step import StepSpec, abstract_batches, abstract_state, make_init, make_step
from gato_jax.training.validation import Validation

__all__ = ["Distributed", "TrainConfig", "TrainResult", "train"]

TIMED_STEPS = 20
WARM_STEPS = 3


class DataStream(Protocol):
    """What training needs of `data_pipelines.stream.Stream`."""

    def __next__(self) -> Mapping[str, Mapping[str, np.ndarray]]: ...

    def position(self) -> dict[str, Any]: ...

    def restore(self, position: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


OpenStream = Callable[[Experiment, int, int], DataStream]


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """How a call of `train` ended.

    Attributes:
      step, steps: steps done, and the length of the run.
      finished: all steps are done.
      interrupted: a signal stopped the run; calling again continues.
      loss: mean loss at the last record; None where none was written.
      seconds: time in the loop, over all interrupts.
      out: the run directory.
      message: all this in a line.
    """

    step: int
    steps: int | None
    finished: bool
    interrupted: bool
    loss: float | None
    seconds: float
    out: Path
    message: str


def open_stream(experiment: Experiment, host: int, hosts: int) -> DataStream:
    """The real data. Imports TensorFlow, which is why nothing above does."""
    from data_pipelines.stream import Stream

    return Stream(experiment.data, host=host, hosts=hosts)


def train(experiment: Experiment, out: Path, *, open_stream: OpenStream = open_stream) -> TrainResult:
    """Trains an experiment in the run directory `out`, or continues what is there.

    Must be the first use of JAX in its process, unless `train.distributed` is OFF.

    Args:
      open_stream: (experiment, host, hosts) -> the data.

    Raises:
      RunMismatch, CheckpointError: `out` holds another experiment, or a damaged checkpoint.
      ValueError: rows that do not divide over the devices, a data position of another mixture.
      FloatingPointError: the loss is not finite.
    """
    clock = time.monotonic()
    start_distributed(experiment.train.distributed)
    out = Path(out)
    checkpoints = checkpoint.Checkpoints(out / checkpoint.DIRECTORY, keep=experiment.train.keep)
    with contextlib.ExitStack() as stack:
        stack.callback(checkpoints.close)
        progress = stack.enter_context(Progress())
        preemption = stack.enter_context(Preemption())

        # What is there already? A directory keeps one experiment.
        latest, meta = checkpoints.latest(), None
        if latest is not None:
            meta = checkpoints.meta(latest)
            run_directory.check_resume(experiment, meta["experiment"], where=checkpoints.directory / str(latest))
            saved_steps = meta["experiment"]["train"]["steps"]
            if experiment.train.steps is None:
                experiment = run_directory.with_steps(experiment, saved_steps)
            elif experiment.train.steps != saved_steps:
                progress.say(f"the run's length changes from {saved_steps} to {experiment.train.steps} steps")
            if latest >= experiment.train.steps:
                return _result(latest, experiment, out, meta["seconds"], meta["loss"], already=True)

        # Mesh, data, and the compiled step: everything that can fail does so before the first batch.
        spec = step_spec(experiment)
        mesh = sharding.make_mesh(experiment.mesh)
        sharding.check_rows(spec.rows, mesh)
        stack.enter_context(jax.set_mesh(mesh))
        stream = open_stream(experiment, jax.process_index(), jax.process_count())
        stack.callback(stream.close)
        step_function = _compile(spec, mesh, progress)
        validation = Validation.build(experiment, spec, mesh)
        if preemption.requested():
            return _stopped_early(experiment, out)

        # State: restored, or born sharded; a budget in minutes becomes steps here, once, from throw-away steps.
        totals = Totals(experiment.data.mixture.task_names, tuple(spec.groups))
        seconds, loss, step = 0.0, None, 0
        if meta is None:
            create = make_init(spec, mesh)
            if experiment.train.steps is None:
                steps = _steps_in_budget(experiment, spec, mesh, stream, create, step_function, preemption, clock)
                if steps is None:
                    return _stopped_early(experiment, out)
                experiment = run_directory.with_steps(experiment, steps)
                progress.say(f"{experiment.train.minutes} minutes are {steps} steps on this machine")
            state = create()
        else:
            state, step = checkpoints.restore(latest, abstract_state(spec, mesh)), latest
            stream.restore(meta["position"])
            totals.restore(meta["totals"])
            seconds, loss = meta["seconds"], meta["loss"]
            progress.say(f"continuing from step {step}")
        if jax.process_index() == 0:
            run_directory.write_config(experiment, out)
        config, steps = experiment.train, experiment.train.steps
        writer = MetricsWriter(out, start_step=step) if jax.process_index() == 0 else None
        if writer is not None:
            stack.callback(writer.close)
        length = jax.device_put(np.asarray(steps, np.int32), sharding.replicated(mesh))
        speed = _Speed(spec, steps)
        begun, saved, pending, stop = time.monotonic() - seconds, step if meta else None, None, False

        def log(late: Mapping[str, Any]) -> None:
            """Fetches the metrics of the step before, and writes a record where one is due."""
            nonlocal loss
            metrics, at = jax.device_get(late["metrics"]), late["step"]
            check_finite(at, metrics)
            totals.add(metrics)
            if (at + 1) % config.log_every and at + 1 != steps:
                return
            record = {"step": at, **totals.record(), "learning_rate": float(metrics["learning_rate"])}
            record |= speed.measure(at + 1) | late["extra"]
            record["seconds"] = time.monotonic() - begun
            loss = record["loss"]
            if writer is not None:
                writer.write(record)
                progress.update(progress_text(at + 1, steps, record), force=at + 1 == steps)

        with jax.transfer_guard("disallow"):
            while True:
                # evaluate
                stop = preemption.requested()
                if validation is not None and not stop and (step == steps or (step and validation.due(step))):
                    record = validation.run(state["parameters"], stop=preemption.requested)
                    stop = preemption.requested()
                    if writer is not None and record is not None:
                        writer.write({"step": step, "validation": record})

                # save
                if stop or step == steps or (step and step % config.checkpoint_every == 0):
                    if pending is not None:
                        log(pending)
                        pending = None
                    if step != saved:
                        bundle = {
                            "experiment": encode(experiment),
                            "position": stream.position(),
                            "totals": totals.to_dict(),
                            "seconds": time.monotonic() - begun,
                            "loss": loss,
                            "mesh": dict(mesh.shape),
                        }
                        with jax.transfer_guard("allow"):
                            checkpoints.save(step, state, bundle)
                        saved = step
                if stop or step == steps:
                    break

                # next(data)
                batches = next(stream)
                extra = _hash(batches, step, config)
                rows = {
                    name: place_rows(mesh, group, batches[name], spec.rows[name]) for name, group in spec.groups.items()
                }

                # step
                state, metrics = step_function(state, rows, length)

                # log, one step late
                if pending is not None:
                    log(pending)
                pending = {"step": step, "metrics": metrics, "extra": extra}
                step += 1

        checkpoints.wait()
        result = _result(step, experiment, out, time.monotonic() - begun, loss)
        if jax.process_index() == 0:
            _write_summary(result, experiment, spec, totals, mesh)
        return result


def _compile(spec: StepSpec, mesh: Any, progress: Progress) -> Callable:
    """Compiles the step before any batch exists, and says what memory it takes."""
    start = time.monotonic()
    abstract = (abstract_state(spec, mesh), abstract_batches(spec, mesh))
    length = jax.ShapeDtypeStruct((), np.int32, sharding=sharding.replicated(mesh))
    compiled = make_step(spec, mesh).lower(*abstract, length).compile()
    parameters = count_parameters(spec.model, spec.vocabulary)
    text = f"{parameters:,} parameters on {mesh.size} devices; step compiled in {time.monotonic() - start:.1f} s"
    memory = compiled.memory_analysis()
    if memory is not None:
        parts = {name: getattr(memory, f"{name}_size_in_bytes") / 2**20 for name in ("argument", "temp", "output")}
        text += "; MiB per device: " + ", ".join(f"{name} {size:,.0f}" for name, size in parts.items())
    progress.say(text)
    return compiled


def _steps_in_budget(
    experiment: Experiment,
    spec: StepSpec,
    mesh: Any,
    stream: DataStream,
    create: Callable,
    step_function: Callable,
    preemption: Preemption,
    clock: float,
) -> int | None:
    """Steps that fit what is left of `train.minutes`, from timed steps on real data; None where interrupted.

    The stream is put back and the state thrown away, so nothing of a run depends on how it was timed.
    """
    position = stream.position()
    state = create()
    length = jax.device_put(np.asarray(1, np.int32), sharding.replicated(mesh))
    start = 0.0
    for index in range(WARM_STEPS + TIMED_STEPS):
        if preemption.requested():
            return None
        if index == WARM_STEPS:
            start = time.monotonic()
        batches = next(stream)
        _hash(batches, 0, experiment.train)
        rows = {name: place_rows(mesh, group, batches[name], spec.rows[name]) for name, group in spec.groups.items()}
        state, metrics = step_function(state, rows, length)
        jax.block_until_ready(metrics)
    each = (time.monotonic() - start) / TIMED_STEPS
    stream.restore(position)
    left = 60 * experiment.train.minutes - (time.monotonic() - clock)
    # All hosts must agree, so the first one's clock decides.
    steps = np.asarray(max(TIMED_STEPS, int(left / each)), np.int32)
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        steps = multihost_utils.broadcast_one_to_all(steps)
    return int(steps)


class _Speed:
    """Tokens per second since the last record, and the time that is left."""

    def __init__(self, spec: StepSpec, steps: int):
        self._tokens = sum(spec.rows[name] * group.length for name, group in spec.groups.items())
        self._steps, self._last, self._average = steps, (None, time.monotonic()), None

    def measure(self, step: int) -> dict[str, float]:
        before, then = self._last
        now = time.monotonic()
        self._last = (step, now)
        done = step if before is None else step - before
        each = (now - then) / max(done, 1)
        self._average = each if self._average is None else 0.9 * self._average + 0.1 * each
        return {"tokens_per_second": self._tokens / each, "eta_seconds": (self._steps - step) * self._average}


def _hash(batches: Any, step: int, config: TrainConfig) -> dict[str, str]:
    """A digest of this host's rows, on the steps that write a record."""
    if not config.hash_batches or ((step + 1) % config.log_every and step + 1 != config.steps):
        return {}
    from data_pipelines.stream import batch_hash

    return {"batch_hash": batch_hash(batches)}


def _result(
    step: int, experiment: Experiment, out: Path, seconds: float, loss: float | None, *, already: bool = False
) -> TrainResult:
    steps = experiment.train.steps
    shown = "" if loss is None else f", loss {loss:.4f}"
    if already:
        message = f"{out} is done: all {steps} steps were trained before{shown}; raise train.steps to go on"
    elif step >= steps:
        message = f"{out}: trained {steps} steps in {seconds:.0f} s{shown}"
    else:
        message = f"{out}: interrupted; saved at step {step} of {steps}{shown}"
    return TrainResult(step, steps, step >= steps, step < steps, loss, seconds, out, message)


def _stopped_early(experiment: Experiment, out: Path) -> TrainResult:
    message = f"{out}: interrupted before the first step of this session; nothing to save"
    return TrainResult(0, experiment.train.steps, False, True, None, 0.0, out, message)


def _write_summary(result: TrainResult, experiment: Experiment, spec: StepSpec, totals: Totals, mesh: Any) -> None:
    rows = dict(zip(totals.tasks, totals.task_rows, strict=True))
    tokens = sum(spec.rows[name] * group.length for name, group in spec.groups.items())
    summary = {
        **{name: getattr(result, name) for name in ("step", "steps", "finished", "interrupted", "loss", "seconds")},
        "name": experiment.name,
        "parameters": count_parameters(spec.model, spec.vocabulary),
        "tokens_per_step": tokens,
        "tokens_per_second": tokens * result.step / max(result.seconds, 1e-9),
        "task_rows": rows,
        "devices": mesh.size,
        "platform": jax.default_backend(),
        "mesh": dict(mesh.shape),
        "versions": checkpoint.versions(),
    }
    write_json(result.out / run_directory.SUMMARY, summary)
