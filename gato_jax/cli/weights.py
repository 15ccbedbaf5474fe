"""Commands about weights: out of a run, and back in."""

import pathlib
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from data_pipelines.ranges import Count, Natural, Range
from gato_jax.cli.common import DATA, show
from gato_jax.config import Positions
from gato_jax.export.formats.registry import FORMATS
from gato_jax.interrupts import interruptible

if TYPE_CHECKING:
    FormatName = str
    PositionName = str
else:
    PositionName = Literal[tuple(scheme.value for scheme in Positions)]
    FormatName = Annotated[
        Literal[tuple(FORMATS)],
        arg(help="what to write. " + "; ".join(f"{form.name}: {form.description}" for form in FORMATS.values()) + "."),
    ]


def export(
    checkpoint: Positional[pathlib.Path],
    to: pathlib.Path = pathlib.Path("export"),
    format: FormatName = "safetensors",
    dtype: Literal["float32", "bfloat16"] = "float32",
    shard_size: Annotated[int, Range(1, 2**62)] = 5_000_000_000,
    with_optimizer: bool = False,
    python: str | None = None,
    unverified: bool = False,
    json: bool = False,
) -> None:
    """Export weights in a format of your choice, and check them in a fresh process before saying done.

    Args:
      checkpoint: run directory, one checkpoint in it, or another export.
      to: directory that appears whole or not at all; an interrupted export goes on when run again.
      format: what to write.
      dtype: of the weights.
      shard_size: bytes of a file of tensors; more are split, with an index.
      with_optimizer: the optimizer's state too, so that `gato import-weights` continues training exactly.
      python: interpreter with the format's runtime for the check; this one, or $GATO_EXPORT_PYTHON, when not given.
      unverified: skip the check; the model card says so.
      json: print what was written as JSON.
    """
    with interruptible():
        from gato_jax.export import export as export_module

        result = export_module.export_weights(
            checkpoint,
            to,
            format=format,
            dtype=dtype,
            shard_size=shard_size,
            with_optimizer=with_optimizer,
            python=python,
            unverified=unverified,
        )
    show(result.to_dict(), result.table(), json)


def import_weights(
    directory: Positional[pathlib.Path],
    to: pathlib.Path,
    text_size: Count | None = None,
    positions: PositionName | None = None,
    max_length: Count | None = None,
    seed: Natural = 0,
    data: pathlib.Path = DATA,
    json: bool = False,
) -> None:
    """Import exported weights (safetensors or Hugging Face) as a run that `gato train` continues.

    Args:
      directory: the export.
      to: run directory to make; appears whole or not at all.
      text_size: grow the text vocabulary to so many pieces; the new rows are newly initialised.
      positions: change the position scheme; what it needs is newly initialised.
      max_length: grow the learned position table to so many rows.
      seed: for newly initialised parameters.
      data: directory of the tasks' recordings on this machine.
      json: print what was written as JSON.
    """
    with interruptible():
        from gato_jax.export import imports

        result = imports.import_weights(
            directory, to, text_size=text_size, positions=positions, max_length=max_length, seed=seed, data=data
        )
    show(result.to_dict(), result.table(), json)
