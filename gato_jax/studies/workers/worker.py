"""A worker of a sweep: `python -m gato_jax.studies.workers.worker DIRECTORY` trains runs until none is left."""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_json
from data_pipelines.config_json import encode
from data_pipelines.parent_process import end_with
from data_pipelines.read_json import read_json
from gato_jax.config import load_experiment
from gato_jax.studies.plan import domains_of, read_plan, run_directory, scored_roles
from gato_jax.studies.study import Run
from gato_jax.studies.workers.claims import Claims
from gato_jax.studies.workers.realised import data_tokens, realised
from gato_jax.studies.workers.scoring import domain_scores, score
from gato_jax.studies.workers.streams import SharedStreams
from gato_jax.training.distributed.run_lock import RunLocked
from gato_jax.training.run_directory import read_records
from gato_jax.training.train import OpenStream, train
from gato_jax.weights.initial import open_initial_weights

IN_A_ROW = 3
"""Runs that have to fail, before any was done, for a worker to doubt itself."""
LAST = 0.2
"""Part of a run, at its end, over which the training loss is averaged for a task without a validation split."""


def work(out: Path, *, open_stream: OpenStream | None = None, stale_seconds: float = 120.0) -> bool:
    """Trains what nobody trains and nobody has trained. False where a signal stopped it.

    A run whose worker was killed is continued from its last checkpoint, after the runs that killed nobody. An error of
    a run goes to its failed.json. While all that is left is trained elsewhere, it stays until it knows that the owners
    live: an owner that has just died looks alive.

    Raises:
      RuntimeError: the first `IN_A_ROW` runs of this worker failed, so that the worker is what is wrong.
    """
    open_stream = open_stream or SharedStreams()
    claims = Claims(out / "claims", stale_seconds=stale_seconds)
    done, failed, idle_since = 0, [], None
    # Again from the beginning: the owner of a run may have died after this worker passed it by.
    while open_runs := [run for run in read_plan(out) if not _ended(out, run) and _planned(out, run)]:
        free = [run for run in open_runs if not claims.alive(run.name)]
        for run in sorted(free, key=lambda run: claims.deaths(run.name)):
            if _ended(out, run) or (claim := claims.take(run.name, lost=_lost)) is None:
                continue
            idle_since = None
            try:
                if not _ended(out, run) and not _train(out, run, open_stream):
                    return False
            except RunLocked as error:  # Its owner was taken for dead and still writes.
                print(f"{run.name}: {error}", file=sys.stderr, flush=True)
                time.sleep(claims.beat_seconds)
                continue
            finally:
                claim.release()
            if (run_directory(out, run) / "failed.json").exists():
                failed.append(run.name)
            else:
                done += 1
            if not done and len(failed) == IN_A_ROW:
                raise RuntimeError(
                    f"the first {IN_A_ROW} runs here failed ({', '.join(failed)}); the rest is left alone"
                )
        if not free:
            idle_since = claims.now() if idle_since is None else idle_since
            if all(claims.beaten(run.name, idle_since) for run in open_runs):
                break
            time.sleep(claims.beat_seconds / 4)
    return True


def _planned(out: Path, run: Run) -> bool:
    """A run that `propose --add` has added waits for the next `gato sweep`, which writes its experiment."""
    return (run_directory(out, run) / "experiment.json").exists()


def _ended(out: Path, run: Run) -> bool:
    """Has to be asked again with the claim in hand: the run may have ended just before."""
    return any((run_directory(out, run) / name).exists() for name in ("result.json", "failed.json"))


def _lost() -> None:
    """Another process has taken the run over, as this one seemed dead: it must not write one more byte."""
    print("another worker has taken this run over; this one ends", file=sys.stderr, flush=True)
    os._exit(3)


def _train(out: Path, run: Run, open_stream: OpenStream) -> bool:
    """Trains and measures a run, or writes why it failed. False where a signal came: what is done is saved."""
    directory = run_directory(out, run)
    begun = time.monotonic()
    try:
        experiment = load_experiment(directory / "experiment.json")
        outcome = train(experiment, directory / "train", open_stream=open_stream, open_weights=open_initial_weights)
        if outcome.interrupted:
            return False
        losses, data = measure(directory / "train", outcome.step), experiment.data
        summary = read_json(directory / "train" / "summary.json", "the summary of a run", keys=("task_rows", "step"))
        # Rows that a test makes up have no data behind them, and no passes over it.
        counts = data_tokens(out, data) if Path(data.directory).is_dir() else {}
        rows = realised(summary, data, records=read_records(directory / "train"), data_tokens=counts)
        domains = domains_of(out)
        scores = score(directory / "train") if run.role in scored_roles(out) else {}
        result = {
            **encode(run),
            "losses": losses,
            "domain_losses": {
                domain: sum(losses[task]["loss"] for task in tasks) / len(tasks) for domain, tasks in domains.items()
            },
            "scores": scores,
            "domain_scores": domain_scores(scores, domains),
            "realised_shares": {d: sum(rows[task]["share"] for task in tasks) for d, tasks in domains.items()},
            "rows": rows,
            "steps": outcome.step,
            "seconds": time.monotonic() - begun,
        }
    except RunLocked:
        raise
    except Exception as error:  # A run that fails must not stop the others; its reason is kept and shown.
        print(f"{run.name}: {error}", file=sys.stderr, flush=True)
        write_json(directory / "failed.json", {"run": run.name, "reason": f"{type(error).__name__}: {error}"})
        return True
    write_json(directory / "result.json", result)
    # Weights are not what a sweep is for, and sixty checkpoints would fill a disk.
    shutil.rmtree(directory / "train" / "checkpoints")
    return not outcome.signalled


def measure(run: Path, steps: int) -> dict[str, dict[str, Any]]:
    """Task -> loss at the end of a run of so many steps, and what it was measured on.

    Raises:
      ValueError: a task has neither a validation split nor targets in the last records.
    """
    records = read_records(run)
    at_end = (r["validation"] for r in reversed(records) if "validation" in r and r["step"] == steps)
    validation: dict[str, Any] = next(at_end, {})
    training = [record for record in records if "task_loss" in record]
    last = [record for record in training if record["step"] >= (1 - LAST) * training[-1]["step"]]
    task_losses = {}
    for task in training[-1]["task_rows"]:
        recorded_losses = [record["task_loss"][task] for record in last if task in record["task_loss"]]
        if task in validation:
            task_losses[task] = {"loss": validation[task]["loss"], "measured": "validation"}
        elif recorded_losses:
            task_losses[task] = {
                "loss": sum(recorded_losses) / len(recorded_losses),
                "measured": "training, last fifth",
            }
        else:
            raise ValueError(f"task {task!r} has no validation split and no targets in the last fifth of {run}")
    return task_losses


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cores", type=int, nargs="*", default=[], help="to run on; all if none")
    parser.add_argument("--parent", type=int, help="process with which this one ends: it saves its run, as on SIGTERM")
    arguments = parser.parse_args()
    if arguments.parent is not None:
        end_with(arguments.parent)
    if arguments.cores:  # Before JAX starts its threads.
        os.sched_setaffinity(0, arguments.cores)
    # An interrupted worker has saved its run and is no failure.
    work(arguments.out)


if __name__ == "__main__":
    main()
