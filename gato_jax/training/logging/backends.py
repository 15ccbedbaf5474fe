"""Where records are drawn as curves: TensorBoard always, Weights & Biases when asked."""

import os
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from data_pipelines.atomic_files import write_bytes

WANDB_ID = "wandb.id"


class Board(Protocol):
    """A place for curves."""

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """One point of each curve."""

    def close(self) -> None:
        """All points are out."""


class TensorBoard:
    """Scalar events in TensorBoard's own format. (Its `EventFileWriter` would import TensorFlow: 6 s of start-up.)"""

    def __init__(self, directory: Path, *, purge_step: int):
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        directory.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = RecordWriter((directory / name).open("wb"))
        self._add(file_version="brain.Event:2")
        if purge_step:
            # Tells TensorBoard to forget what an earlier process wrote past the checkpoint.
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._add(step=purge_step, session_log=start)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self._add(step=step, summary=self._summary(value=values))

    def _add(self, **event: Any) -> None:
        self._file.write(self._event(wall_time=time.time(), **event).SerializeToString())
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class WandB:
    """Weights & Biases. Its id is kept in `<run>/wandb.id`, so a resumed run goes on in the same curves.

    What a run repeats after its last checkpoint is dropped there by step, and equal to what is there.
    WANDB_MODE=offline writes into `<run>/wandb`, for `wandb sync` later.

    Args:
      project: "project", or "entity/project".
      config: of the experiment, as JSON.
    """

    def __init__(self, project: str, out: Path, *, config: Mapping[str, Any]):
        wandb = require_wandb()
        if not (out / WANDB_ID).exists():
            write_bytes(out / WANDB_ID, uuid.uuid4().hex[:8].encode())
        entity, _, name = project.rpartition("/")
        self._run = wandb.init(
            project=name,
            entity=entity or None,
            name=out.name,
            id=(out / WANDB_ID).read_text(),
            resume="allow",
            dir=os.fspath(out),
            config=dict(config),
            settings=wandb.Settings(console="off"),  # The terminal is the live view's.
        )

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        self._run.finish()


def require_wandb() -> Any:
    """The package. Raises `ValueError` saying how to install it where it is absent."""
    try:
        import wandb
    except ImportError as error:
        raise ValueError(
            f"train.wandb is set, but the package wandb is not here ({error}): pip install 'gato-jax[wandb]', "
            "or leave the setting out"
        ) from error
    return wandb
