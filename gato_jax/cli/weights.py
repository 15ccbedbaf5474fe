"""Commands about weights: out of a run, and back in."""

import pathlib

from tyro.conf import Positional

from gato_jax.cli.common import show, use_cpu_without_accelerator


def export(
    checkpoint: Positional[pathlib.Path],
    to: pathlib.Path = pathlib.Path("export"),
    json: bool = False,
) -> None:
    """Export weights as safetensors beside their config and tokenizer, and check them before saying done.

    Args:
      checkpoint: run directory, or one checkpoint in it.
      to: directory that appears whole or not at all.
      json: print what was written as JSON.
    """
    use_cpu_without_accelerator()
    from gato_jax.export import safetensors

    result = safetensors.export_safetensors(checkpoint, to)
    show(result.to_dict(), result.table(), json)
