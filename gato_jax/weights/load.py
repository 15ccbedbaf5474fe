"""Trained weights from a run, a checkpoint, or an export."""

from pathlib import Path

from gato_jax.weights.source import open_export, open_source
from gato_jax.weights.weights import Weights


def load_weights(path: Path | str, *, data: Path | str | None = None) -> Weights:
    """Weights of a run (its latest checkpoint), of one checkpoint, or of a safetensors export.

    What was written with digests is compared with them. bfloat16 becomes float32.

    Args:
      path: their directory.
      data: data directory, where the text model is looked for; the experiment's own when None.

    Raises:
      FileNotFoundError: `path` does not exist.
      CheckpointError, ExportError: nothing to load there, damaged, or of another architecture.

    Examples:
      >>> import gato_jax
      >>> weights = gato_jax.load_weights("run", data="data")
      >>> weights.step, weights.experiment.name
      (2, 'tiny')
    """
    source = open_source(path, data=data)
    return Weights(source.experiment, source.parameters(), int(source.meta["step"]), source.text_model)


def load_export(directory: Path | str) -> Weights:
    """Weights of an export, ready to act.

    Raises:
      ExportError: damaged, hostile, or of another architecture; see `open_export`.
    """
    return open_export(Path(directory)).weights()
