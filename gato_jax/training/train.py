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
from jax.sharding import Mesh

from gato_jax import sharding
from gato_jax.config import Experiment
from gato_jax.memory import keep_freed_memory
from gato_jax.serialize import encode
from gato_jax.training import checkpoint, result, run_directory
from gato_jax.training.budget import Speed, steps_within, time_steps
from gato_jax.training.compiled import CompiledStep
from gato_jax.training.config import Distributed, TrainConfig
from gato_jax.training.evaluate import step_spec
from gato_jax.training.metrics import MetricsWriter, Progress, Totals, check_finite, progress_text
from gato_jax.training.preemption import Preemption, start_distributed
from gato_jax.training.result import TrainResult
from gato_jax.training.step import State, abstract_state, make_init
from gato_jax.training.validation import Validation

__all__ = ["Distributed", "TrainConfig", "TrainResult", "train"]


class DataStream(Protocol):
    """What training needs of `data_pipelines.stream.Stream`."""

    def __next__(self) -> Mapping[str, Mapping[str, np.ndarray]]: ...

    def position(self) -> dict[str, Any]: ...

    def restore(self, position: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


OpenStream = Callable[[Experiment, int, int], DataStream]


def open_stream(experiment: Experiment, host: int, hosts: int) -> DataStream:
    """The real data. Imports TensorFlow, which is why nothing above does."""
    from data_pipelines.stream import Stream

    return Stream(experiment.data, host=host, hosts=hosts)


def train(experiment: Experiment, out: Path, *, open_stream: OpenStream = open_stream) -> TrainResult:
    """Trains an experiment in the run directory `out`, or continues what is there.

    Must be the first use of JAX in its process, unless `train.distributed` is OFF.

    Args:
      experiment: what to train.
      out: run directory; created where it is absent.
      open_stream: (experiment, host, hosts) -> the data.

    Raises:
      RunMismatch, CheckpointError: `out` holds another experiment, or a damaged checkpoint.
      ValueError: rows that do not divide over the devices, a data position of another mixture.
      FloatingPointError: the loss is not finite.
    """
    started = time.monotonic()
    start_distributed(experiment.train.distributed)
    keep_freed_memory()
    out = Path(out)
    experiment = resolve_data(experiment)
    config, steps = experiment.train, experiment.train.steps
    with contextlib.ExitStack() as stack:
        checkpoints = checkpoint.Checkpoints(out / checkpoint.DIRECTORY, keep=config.keep)
        stack.callback(checkpoints.close)
        progress = stack.enter_context(Progress())
        preemption = stack.enter_context(Preemption())

        # What is there already? A directory keeps one experiment.
        step, meta = checkpoints.latest() or 0, None
        if step:
            meta = checkpoints.meta(step)
            run_directory.check_resume(experiment, meta["experiment"], where=checkpoints.directory / str(step))
            saved_steps = int(meta["experiment"]["train"]["steps"])
            if steps not in (None, saved_steps):
                progress.say(f"the run's length changes from {saved_steps} to {steps} steps")
            steps = steps or saved_steps
            if step >= steps:
                return result.done_before(steps, out, seconds=meta["seconds"], loss=meta["loss"])

        # Mesh, data and the compiled step: everything that can fail does so before the first batch.
        spec = step_spec(experiment)
        mesh = sharding.make_mesh(experiment.mesh)
        stack.enter_context(jax.set_mesh(mesh))
        for rows in experiment.data.mixture.scheduled_rows(experiment.data.stream.virtual_shards):
            sharding.check_rows(rows, mesh)
        stream = open_stream(experiment, jax.process_index(), jax.process_count())
        stack.callback(stream.close)
        advance = CompiledStep(experiment, mesh, progress.say)
        create = make_init(spec, mesh)
        validation = Validation.build(experiment, spec, mesh)

        # A budget in minutes becomes steps here, once, from throw-away steps on the real data.
        if steps is None:
            position = stream.position()
            each = _time_steps(create(), stream, advance, mesh, preemption)
            if each is not None:
                steps = steps_within(60 * (config.minutes or 0.0) - (time.monotonic() - started), each=each)
                stream.restore(position)
                progress.say(f"{config.minutes} minutes are {steps} steps of {1000 * each:.0f} ms on this machine")
        if steps is None or preemption.requested():
            return result.stopped_early(step, steps, out)
        experiment = run_directory.with_steps(experiment, steps)
        if jax.process_index() == 0:
            run_directory.write_config(experiment, out)

        # State: restored, or born sharded.
        totals = Totals(experiment.data.mixture.task_names, tuple(spec.groups))
        loss: float | None = None
        begun = time.monotonic()
        if meta is None:
            state = create()
        else:
            state = checkpoints.restore(step, abstract_state(spec, mesh))
            stream.restore(meta["position"])
            totals.restore(meta["totals"])
            loss, begun = meta["loss"], begun - meta["seconds"]
            progress.say(f"continuing from step {step}")
        writer = stack.enter_context(MetricsWriter(out, start_step=step)) if jax.process_index() == 0 else None
        speed = Speed(spec, step=step, steps=steps)
        length = _scalar(steps, mesh)
        saved, pending = step, None

        def log(at: int, late: dict[str, Any], batch_hash: dict[str, str]) -> None:
            """Fetches the metrics of step `at`, and writes a record where one is due."""
            nonlocal loss
            metrics = jax.device_get(late)
            check_finite(at, metrics)
            totals.add(metrics)
            if not _due(at, config, steps):
                return
            record = {"step": at, **totals.record(), "learning_rate": float(metrics["learning_rate"])}
            record |= speed.measure(at + 1) | batch_hash | {"seconds": time.monotonic() - begun}
            loss = record["loss"]
            if writer is not None:
                writer.write(record)
                progress.update(progress_text(at + 1, steps, record), force=at + 1 == steps)

        stack.enter_context(jax.transfer_guard("disallow"))
        while True:
            stop = preemption.requested()

            # evaluate
            if validation is not None and not stop and validation.due(step, steps):
                found = validation.run(state["parameters"], stop=preemption.requested)
                stop = preemption.requested()
                if found is not None and writer is not None:
                    writer.write({"step": step, "validation": found})

            # save
            if stop or step == steps or step % config.checkpoint_every == 0:
                if pending is not None:
                    log(*pending)
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
            batch_hash = _hash(batches) if config.hash_batches and _due(step, config, steps) else {}

            # step
            state, metrics = advance(state, batches, length)

            # log, one step late
            if pending is not None:
                log(*pending)
            pending = (step, metrics, batch_hash)
            step += 1

        checkpoints.wait()
        end = result.ended(step, steps, out, seconds=time.monotonic() - begun, loss=loss)
        if jax.process_index() == 0:
            result.write_summary(end, experiment, spec, totals, mesh)
        return end


def resolve_data(experiment: Experiment) -> Experiment:
    """A named mixture becomes weights over the tasks that are there."""
    if not experiment.data.mixture.named:
        return experiment
    from data_pipelines import resolution  # Imports TensorFlow, which must not come before `start_distributed`.

    return dataclasses.replace(experiment, data=resolution.resolve(experiment.data))


def _time_steps(
    state: State, stream: DataStream, advance: CompiledStep, mesh: Mesh, preemption: Preemption
) -> float | None:
    """Seconds of one step with its data, None where interrupted. The state is thrown away."""
    length = _scalar(1, mesh)

    def one() -> None:
        nonlocal state
        batches = next(stream)
        _hash(batches)
        state, metrics = advance(state, batches, length)
        jax.block_until_ready(metrics)

    return time_steps(one, stop=preemption.requested)


def _scalar(value: int, mesh: Mesh) -> jax.Array:
    return jax.device_put(np.asarray(value, np.int32), sharding.replicated(mesh))


def _due(step: int, config: TrainConfig, steps: int) -> bool:
    """Whether this step writes a record: every `log_every` steps, and the last."""
    return (step + 1) % config.log_every == 0 or step + 1 == steps


def _hash(batches: Any) -> dict[str, str]:
    """A digest of this host's rows."""
    from data_pipelines.stream import batch_hash

    return {"batch_hash": batch_hash(batches)}
