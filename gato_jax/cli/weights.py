"""Commands about weights: out of a run, and back in."""

import pathlib
from typing import Literal

from tyro.conf import Positional

from gato_jax.cli.common import show, use_cpu_without_accelerator


def export(
    checkpoint: Positional[pathlib.Path],
    to: pathlib.Path = pathlib.Path("export"),
    format: Literal["safetensors", "huggingface", "stablehlo", "savedmodel", "onnx"] = "safetensors",
    dtype: Literal["float32", "bfloat16"] = "float32",
    shard_size: int = 5_000_000_000,
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
      with_optimizer: the optimizer's state too, so that `gato import` continues training exactly.
      python: interpreter with the format's runtime for the check; this one, or $GATO_EXPORT_PYTHON, when not given.
      unverified: skip the check; the model card says so.
      json: print what was written as JSON.
    """
    use_cpu_without_accelerator()
    from gato_jax.export import export as room

    result = room.export(
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
