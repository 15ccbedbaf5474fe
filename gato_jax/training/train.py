"""The training loop: one function, read from top to bottom."""

import contextlib
from pathlib import Path

import jax

from gato_jax.config import Distributed, Experiment, TrainConfig
from gato_jax.training.data_stream import OpenStream, open_stream
from gato_jax.training.initial_weights import OpenWeights, nothing_opens_weights
from gato_jax.training.mixture_control.controller import MixtureController
from gato_jax.training.result import TrainResult
from gato_jax.training.setup import set_up

__all__ = ["Distributed", "TrainConfig", "TrainResult", "train"]


def train(
    experiment: Experiment,
    out: Path,
    *,
    open_stream: OpenStream = open_stream,
    open_weights: OpenWeights = nothing_opens_weights,
    mixture_controller: MixtureController | None = None,
) -> TrainResult:
    """Trains an experiment in the run directory `out`, or continues what is there.

    At every boundary, in this order: evaluate, save, next(data), step, log. Saving comes before the next batch is
    drawn, so a checkpoint's data position is the batch that its step has not seen; it comes after the controller, whose
    weights are a part of that position. Metrics are fetched one step late, so no device waits for the host, except
    where they are needed: before a checkpoint, and before a controller is asked.

    With several processes, it must be the first use of JAX in each of them.

    Args:
      experiment: what to train.
      out: run directory; created where it is absent.
      open_stream: (experiment, host, hosts) -> the data.
      open_weights: experiment -> the weights of `train.init_from`, such as `weights.initial.open_initial_weights`.
      mixture_controller: changes the mixture's weights as the run goes on (`mixture_control.controller`).

    Raises:
      RunMismatch, CheckpointError: `out` holds another experiment, or a damaged checkpoint.
      RunLocked: another process trains in `out`, or has taken it over.
      ValueError: weights of another network, rows that do not divide over devices, the position of another mixture.
      FloatingPointError: the loss is not finite.
    """
    with contextlib.ExitStack() as stack:
        run = set_up(experiment, Path(out), open_stream, open_weights, mixture_controller, stack)
        if isinstance(run, TrainResult):
            return run
        step, state, program, timer, recorder = run.step, run.state, run.program, run.log.timer, run.log.recorder
        timer.begin(step)
        stack.enter_context(jax.transfer_guard("disallow"))
        while True:
            stop = run.asked_to_stop()

            # evaluate; what a signal cuts short, the next session does
            unmeasured = program.validation is not None and program.validation.due(step, run.steps)
            if program.validation is not None and unmeasured and not stop:
                with timer.part("evaluate", step):
                    validation = program.validation.run(state["parameters"], stop=run.preemption.requested)
                if validation is not None:
                    recorder.write_validation(step, validation)
                    unmeasured = False
                stop = run.preemption.requested()

            # the controller, at the end of a data segment; after an interrupted validation the next session asks it
            if run.hook.due(step) and not stop:
                recorder.flush()
                with timer.part("hook", step):
                    recorder.write_weights(step - 1, run.hook.update(run.stream))

            # save; once more, where the one in the background has failed and there is room again
            if run.saving.due(step, stop=stop) or run.checkpoints.once_more():
                recorder.flush()
                with timer.part("save", step), jax.transfer_guard("allow"):
                    run.checkpoints.save(step, state, run.bundle())
                run.saving.saved(step)
            if stop or step == run.steps:
                break
            run.log.profile.boundary(step, state)

            # next(data)
            with timer.part("load", step):
                batches = next(run.stream)
            recorder.loaded()

            # step
            with timer.part("step", step):
                state, metrics = program.advance(state, batches, run.course)

            # log, one step late
            recorder.push(step, metrics, batches)
            step += 1

        recorder.flush()
        return run.end(step, measured=not unmeasured)
